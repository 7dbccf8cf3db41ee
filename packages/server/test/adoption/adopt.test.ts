import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runProgram, startProgram } from '../program.js'
import { madeUploads } from '../commands/uploads.js'
import { HookServer } from '../../../../test/support/hook-server.js'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import { adopt, contentOf, copyOf, uploadsIn } from './folders.js'

/** Writes the files of a folder, and returns its path. */
async function folderWith(files: Readonly<Record<string, string | object>>): Promise<string> {
  const folder = await temporaryDirectory()
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    await writeFile(join(folder, name), text)
  }
  return folder
}

interface JsonLine {
  readonly outcome: string
  readonly id: string
  readonly reason?: string
  readonly state?: string
  readonly path?: string
}

async function adoptAsJson(parameters: readonly string[]): Promise<readonly JsonLine[]> {
  const { output, errors } = await adopt([...parameters, '--json'])
  expect(errors).toBe('')
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JsonLine)
}

const tusdRecord = { ID: 'a', Size: 4, SizeIsDeferred: false, Offset: 0, MetaData: {} }
const rustusRecord = {
  ...{ id: 'a', offset: 2, length: 4, path: '/old/a', created_at: 1_795_897_368 },
  ...{ deferred_size: false, is_partial: false, is_final: false, parts: null },
  ...{ storage: 'file_storage', metadata: {} },
}
const nodeRecord = { id: 'a', size: 4, offset: 0, creation_date: '2026-11-28T20:11:49.326Z' }

/** Folders with one upload that cannot be adopted, and the reason. */
const refusals: readonly (readonly [
  title: string,
  from: string,
  files: Readonly<Record<string, string | object>>,
  reason: RegExp,
])[] = [
  ['an empty record', 'rustus', { a: 'xx', 'a.info': '' }, /record is empty/],
  ['a record that is cut off', 'rustus', { a: 'xx', 'a.info': '{"id":"a"' }, /record is not JSON/],
  ['a record that is no object', 'tusd', { a: 'xx', 'a.info': '[]' }, /record is wrong: .*ID/],
  [
    'a size that is no size',
    'tusd',
    { a: 'xx', 'a.info': { ...tusdRecord, Size: -1 } },
    /record is wrong: Size: /,
  ],
  [
    'metadata that is no text',
    'tusd',
    { a: 'xx', 'a.info': { ...tusdRecord, MetaData: { name: 7 } } },
    /record is wrong: MetaData: .*texts/,
  ],
  [
    'metadata with a key that no header can carry',
    'tusd',
    { a: 'xx', 'a.info': { ...tusdRecord, MetaData: { größe: '7' } } },
    /Pair 1 of Upload-Metadata has a key with characters other than printable ASCII/,
  ],
  [
    'a record of another upload',
    'tus-node',
    { a: 'xx', 'a.json': { ...nodeRecord, id: '../b' } },
    /that of another upload, \.\.\/b/,
  ],
  ['a record whose data is missing', 'tus-node', { 'a.json': nodeRecord }, /data is not there: /],
  [
    'more bytes than the length',
    'tus-node',
    { a: 'xxxxx', 'a.json': nodeRecord },
    /5 bytes, more than its length of 4/,
  ],
  [
    'fewer bytes than were recorded',
    'rustus',
    { a: 'x', 'a.info': rustusRecord },
    /file has 1 bytes of 2 that were stored/,
  ],
  [
    'a finished upload whose file is longer',
    'rustus',
    { a: 'xxxxx', 'a.info': { ...rustusRecord, offset: 4 } },
    /is finished, but its file has 5 bytes instead of 4/,
  ],
  [
    'data that has another name than the upload',
    'rustus',
    { b: 'xx', 'a.info': { ...rustusRecord, path: '/old/b' } },
    /not the name of the upload/,
  ],
  [
    'data in S3',
    'tusd',
    { a: 'xx', 'a.info': { ...tusdRecord, Storage: { Type: 's3store', Bucket: 'b' } } },
    /not in a file, but in s3store/,
  ],
  [
    'a final upload that was not put together',
    'tusd',
    { a: 'xx', 'a.info': { ...tusdRecord, IsFinal: true, PartialUploads: ['b', 'c'] } },
    /not completely put together/,
  ],
  [
    'data outside the folder',
    'tusd',
    {
      'a.info': {
        ...tusdRecord,
        Storage: { Type: 'filestore', Path: '/etc/hostname', InfoPath: '/old/a.info' },
      },
    },
    /data, \/etc\/hostname, is not in the directory of --data/,
  ],
  [
    'data that is the record of another upload',
    'tusd',
    {
      'b.info': { ...tusdRecord, ID: 'c' },
      'a.info': {
        ...tusdRecord,
        Storage: { Type: 'filestore', Path: '/old/b.info', InfoPath: '/old/a.info' },
      },
    },
    /data is the record of another upload/,
  ],
  [
    'parts that are no ids',
    'tusd',
    { a: 'xxxx', 'a.info': { ...tusdRecord, IsFinal: true, PartialUploads: ['x\r\ny'] } },
    /an id has 1 to 200 letters/,
  ],
  [
    'data with a hidden name',
    'tusd',
    {
      '.hidden': 'xx',
      'a.info': {
        ...tusdRecord,
        Storage: { Type: 'filestore', Path: '/old/.hidden', InfoPath: '/old/a.info' },
      },
    },
    /has a name that tuskit does not use/,
  ],
]

test.for(refusals)('not adopted: %s', async ([, from, files, reason]) => {
  const folder = await folderWith(files)
  const before = await contentOf(folder, { hidden: true })
  const results = await adoptAsJson(['--from', from, '--cut', folder])
  const [result, ...more] = results.filter(({ id }) => id !== 'b')
  expect(result).toMatchObject({ outcome: 'refused', id: 'a' })
  expect(result!.reason).toMatch(reason)
  expect(more.filter(({ outcome }) => outcome !== 'stray')).toEqual([])
  expect(await contentOf(folder, { hidden: false })).toEqual(
    Object.fromEntries(Object.entries(before).filter(([name]) => !name.startsWith('.'))),
  )
})

test('not adopted: data that is a symbolic link', async () => {
  const folder = await folderWith({ 'a.json': nodeRecord, 'other/b': 'xxxx' })
  await symlink('other/b', join(folder, 'a'))
  const [result] = await adoptAsJson(['--from', 'tus-node', folder])
  expect(result).toMatchObject({ outcome: 'refused', id: 'a' })
  expect(result!.reason).toMatch(/is not a file$/)
})

test('not adopted: records that are no files', async () => {
  const folder = await folderWith({ 'folder.info/x': '', 'long.info': 'x'.repeat(1_000_001) })
  execFileSync('mkfifo', [join(folder, 'pipe.info')])
  await symlink('/etc/hostname', join(folder, 'link.info'))
  const results = await adoptAsJson(['--from', 'tusd', folder])
  expect(results.filter(({ outcome }) => outcome === 'refused').toSorted(byId)).toEqual([
    { outcome: 'refused', id: 'link', reason: 'its record is not a file' },
    { outcome: 'refused', id: 'long', reason: 'its record is too long' },
    { outcome: 'refused', id: 'pipe', reason: 'its record is not a file' },
  ])
})

const byId = (a: JsonLine, b: JsonLine) => (a.id < b.id ? -1 : 1)

test('a pipe that is named like a lock keeps nothing waiting', async () => {
  const folder = await folderWith({ a: 'xx', 'a.info': tusdRecord })
  execFileSync('mkfifo', [join(folder, 'a.lock')])
  expect(await adoptAsJson(['--from', 'tusd', folder])).toMatchObject([{ outcome: 'adopted' }])
})

test('a folder that cannot be read keeps the others from nothing', async () => {
  const folder = await folderWith({ a: 'xx', 'a.info': tusdRecord })
  // No text of JavaScript is the name of this one.
  await mkdir(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]))
  const results = await adoptAsJson(['--from', 'tusd', folder])
  expect(results).toMatchObject([
    { outcome: 'adopted', id: 'a' },
    {
      outcome: 'stray',
      reason: expect.stringMatching(/^it cannot be read: ENOENT/) as string,
    },
  ])
})

test('files that clients of this server upload are never old records', async () => {
  const folder = await folderWith({ secret: 'xxxx' })
  const id = 'secret.info'
  const plugin = join(await temporaryDirectory(), 'names.mjs')
  const hook = `export const plugin = { hooks: { names: () => ({
    events: ['pre-create'], call: () => ({ id: '${id}' }) }) } }`
  await writeFile(plugin, hook)
  const flags = ['--data', `file:${folder}`, '--plugin', plugin, '--hooks-url', 'names:']
  const running = await startProgram(flags)
  const record = JSON.stringify({ ...tusdRecord, ID: 'secret' })
  const created = await fetch(running.url, {
    method: 'POST',
    headers: {
      'tus-resumable': '1.0.0',
      'upload-length': String(record.length),
      'content-type': 'application/offset+octet-stream',
    },
    body: record,
  })
  expect([created.status, created.headers.get('location')]).toEqual([201, `/files/${id}`])
  await running.stop()
  expect(await adoptAsJson(['--from', 'tusd', folder])).toEqual([])
})

test('data of an upload of this server is never that of an old one', async () => {
  const folder = await folderWith({})
  const [own] = await madeUploads({ cwd: folder }, [{ length: 4 }], ['--data', 'file:.'])
  const Storage = { Type: 'filestore', Path: `/old/${own}`, InfoPath: '/old/a.info' }
  await writeFile(join(folder, 'a.info'), JSON.stringify({ ...tusdRecord, Storage }))
  expect(await adoptAsJson(['--from', 'tusd', folder])).toMatchObject([
    { outcome: 'refused', reason: `its data is that of another upload, ${own}` },
  ])
})

test('a record that a killed run has begun is written again', async () => {
  const folder = await folderWith({ a: 'xx', 'a.info': tusdRecord, '.a.info': '' })
  expect(await adoptAsJson(['--from', 'tusd', folder])).toMatchObject([{ outcome: 'adopted' }])
  expect(await adoptAsJson(['--from', 'tusd', folder])).toMatchObject([{ outcome: 'present' }])
})

test('two runs at once adopt each upload once', async () => {
  const ids = Array.from({ length: 100 }, (_, i) => `upload-${i}`)
  const files = ids.map((ID) => [
    [ID, 'xx'],
    [`${ID}.info`, { ...tusdRecord, ID }],
  ])
  const folder = await folderWith(Object.fromEntries(files.flat()) as Record<string, string>)
  const flags = ['--from', 'tusd', folder]
  const [a, b] = await Promise.all([adoptAsJson(flags), adoptAsJson(flags)])
  const adopted = [...a, ...b].filter(({ outcome }) => outcome === 'adopted')
  expect(adopted.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  expect([...a, ...b].filter(({ outcome }) => outcome === 'refused')).toEqual([])
})

test('--remove-records removes those of adopted uploads only', async () => {
  const folder = await folderWith({
    ...{ a: 'xx', 'a.json': nodeRecord, 'b.json': { ...nodeRecord, id: 'b' } },
    ...{ 'a.json.json': { ...nodeRecord, id: 'a.json', size: 1000 } },
  })
  const flags = ['--from', 'tus-node', folder]
  await adopt([...flags, '--remove-records', '--dry-run'])
  await adopt(flags)
  const before = Object.keys(await contentOf(folder, { hidden: false }))
  expect(before).toEqual(['a', 'a.json', 'a.json.json', 'b.json'])
  for (let run = 0; run < 2; run++) await adopt([...flags, '--remove-records'])
  const after = Object.keys(await contentOf(folder, { hidden: false }))
  // One is the data of an upload, although it looks like a record.
  expect(after).toEqual(['a', 'a.json', 'b.json'])
})

test('not adopted: an upload that a running tusd has locked', async () => {
  const folder = await folderWith({ a: 'xx', 'a.info': tusdRecord })
  const command = join(await temporaryDirectory(), 'tusd')
  await copyFile('/bin/sleep', command)
  const running = spawn(command, ['1000'], { stdio: 'ignore' })
  onTestFinished(() => void running.kill('SIGKILL'))
  await once(running, 'spawn')
  await writeFile(join(folder, 'a.lock'), String(running.pid))
  const [result] = await adoptAsJson(['--from', 'tusd', folder])
  expect(result!.reason).toBe(`tusd is still running, as process ${running.pid}`)

  running.kill('SIGKILL')
  await once(running, 'exit')
  const [adopted] = await adoptAsJson(['--from', 'tusd', folder])
  expect(adopted).toMatchObject({ outcome: 'adopted', state: 'open', path: 'a' })
})

test('of two uploads with the same data, one is adopted', async () => {
  const record = (id: string) => ({
    ...{ ...tusdRecord, ID: id },
    Storage: { Type: 'filestore', Path: '/old/shared', InfoPath: `/old/${id}.info` },
  })
  const files = { shared: 'xx', 'a.info': record('a'), 'b.info': record('b') }
  const results = await adoptAsJson(['--from', 'tusd', await folderWith(files)])
  expect(results.map(({ outcome }) => outcome).sort()).toEqual(['adopted', 'refused'])
  const first = results.find(({ outcome }) => outcome === 'adopted')
  const second = results.find(({ outcome }) => outcome === 'refused')
  expect(second!.reason).toBe(`its data is that of another upload, ${first!.id}`)
})

test('an upload keeps its data from another one that names it', async () => {
  const path = '/old/b'
  const files = {
    ...{ b: 'xx', 'b.info': { ...tusdRecord, ID: 'b' } },
    'a.info': {
      ...tusdRecord,
      Storage: { Type: 'filestore', Path: path, InfoPath: '/old/a.info' },
    },
  }
  const results = await adoptAsJson(['--from', 'tusd', await folderWith(files)])
  expect(Object.fromEntries(results.map(({ id, outcome }) => [id, outcome]))).toEqual({
    a: 'refused',
    b: 'adopted',
  })
})

test('uploaded files that look like records are data', async () => {
  const folder = await folderWith({
    ...{ 'a.json': JSON.stringify({ ...nodeRecord, id: 'a' }), a: 'xx' },
    'a.json.json': { ...nodeRecord, id: 'a.json', size: 1000 },
  })
  const results = await adoptAsJson(['--from', 'tus-node', folder])
  expect(results).toEqual([
    expect.objectContaining({ outcome: 'adopted', id: 'a.json', path: 'a.json' }),
    expect.objectContaining({ outcome: 'stray', id: 'a' }),
  ])
})

test('metadata may have keys that objects have', async () => {
  const text = '{"ID":"a","Size":4,"MetaData":{"constructor":"x","__proto__":"y","toString":""}}'
  const folder = await folderWith({ a: 'xx', 'a.info': text })
  await adopt(['--from', 'tusd', folder])
  const { output } = await runProgram(['inspect', 'a', '--data', `file:${folder}`, '--json'])
  const { upload } = JSON.parse(output) as { upload: { metadata: { raw: string } } }
  expect(upload.metadata.raw).toBe('constructor eA==,__proto__ eQ==,toString')
})

test('files that belong to no upload are listed, but not those of this server', async () => {
  const folder = await folderWith({ a: 'xxxx', 'a.info': tusdRecord, lost: 'x' })
  const { url } = await startProgram(['--data', `file:${folder}`])
  const created = await fetch(url, {
    method: 'POST',
    headers: { 'tus-resumable': '1.0.0', 'upload-length': '3' },
  })
  expect(created.status).toBe(201)
  const { code, output, errors } = await adopt(['--from', 'tusd', folder])
  expect(output).toContain('1 adopted, 0 adopted before, 0 not adopted. ')
  expect(output).toContain('There is no record for 1 file.\n')
  expect(errors).toContain('no record: lost: no record names this file\n')
  expect(code).toBe(0)
})

test('bytes that arrive after the adoption are never cut', async () => {
  const moved = await copyOf('rustus')
  const flags = ['--from', 'rustus', join(moved, 'data'), '--records', join(moved, 'info'), '--cut']
  await adopt(flags)
  const running = await startProgram(['--data', `file:${join(moved, 'data')}`])
  const { id, offset } = uploadsIn('rustus').find(({ name }) => name === 'unfinished')!
  const patched = await fetch(`${running.url}${id}`, {
    method: 'PATCH',
    headers: {
      'tus-resumable': '1.0.0',
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(offset),
    },
    body: 'more',
  })
  expect(patched.status).toBe(204)
  await running.stop()
  const before = await contentOf(moved, { hidden: true })
  const { output } = await adopt(flags)
  expect(output).toContain('Uploads: 0 adopted, 12 adopted before, 1 not adopted.')
  expect(await contentOf(moved, { hidden: true })).toEqual(before)
})

test('an id that another upload has in --info is not adopted', async () => {
  const folder = await folderWith({ 'x/a': 'xx', 'y/a': 'xx', 'r/a.info': rustusRecord })
  const flags = (data: string) => [
    ...['--from', 'rustus', join(folder, data), '--records', join(folder, 'r')],
    ...['--data', `file:${folder}`, '--info', `file:${folder}/records`],
  ]
  expect(await adoptAsJson(flags('x'))).toMatchObject([{ outcome: 'adopted', path: 'x/a' }])
  expect(await adoptAsJson(flags('y'))).toMatchObject([
    { outcome: 'refused', reason: 'it was adopted with another --data, where its data is x/a' },
  ])
  const other = { ...rustusRecord, metadata: { filename: 'another' } }
  await writeFile(join(folder, 'r/a.info'), JSON.stringify(other))
  expect(await adoptAsJson(flags('x'))).toMatchObject([
    { outcome: 'refused', reason: 'another upload in --info has its id' },
  ])
})

test('an upload whose length the old server learned later is not adopted twice', async () => {
  const deferred = { ...tusdRecord, Size: 0, SizeIsDeferred: true }
  const folder = await folderWith({ a: 'xx', 'a.info': deferred })
  await adopt(['--from', 'tusd', folder])
  await writeFile(join(folder, 'a.info'), JSON.stringify(tusdRecord))
  expect(await adoptAsJson(['--from', 'tusd', folder])).toMatchObject([
    { reason: 'its length was declared to the other server after it was adopted' },
  ])
})

test('unfinished uploads expire from now on, and finished ones by their own setting', async () => {
  const folder = await folderWith({
    ...{ a: 'xx', 'a.json': nodeRecord, b: 'xxxx', 'b.json': { ...nodeRecord, id: 'b' } },
  })
  const expiring = ['--expire-after', '1h']
  const started = Date.now()
  await adopt(['--from', 'tus-node', folder, ...expiring])
  const { output } = await runProgram(['ls', '--data', `file:${folder}`, '--json'])
  const lines = output.trimEnd().split('\n')
  const [open, finished] = lines.map(
    (line) => JSON.parse(line) as { state: string; upload: Record<string, string> },
  )
  expect(open!.state).toBe('open')
  expect(Date.parse(open!.upload['expiresAt']!) - started).toBeGreaterThanOrEqual(3_600_000)
  expect(open!.upload['createdAt']).toBe('2026-11-28T20:11:49.326Z')
  expect(finished!.state).toBe('finished')
  expect(finished!.upload['expiresAt']).toBeUndefined()
  const sweep = await runProgram(['sweep', '--data', `file:${folder}`, ...expiring])
  expect(sweep.output).toBe('Finished 0 uploads, removed 0 uploads.\n')
})

interface HookCall {
  readonly Type: string
  readonly Event: { readonly Upload: { readonly ID: string } }
}

test('hooks are called for uploads that are finished here, and not for the others', async () => {
  const folder = await folderWith({
    ...{ a: 'xx', 'a.info': tusdRecord, b: 'xxxx', 'b.info': { ...tusdRecord, ID: 'b' } },
  })
  await adopt(['--from', 'tusd', folder])
  const hooks = await HookServer.start()
  const running = await startProgram(['--data', `file:${folder}`, '--hooks-http', hooks.url])
  for (const [id, offset] of [
    ['a', 2],
    ['b', 4],
  ] as const) {
    const headers = { 'tus-resumable': '1.0.0', 'upload-offset': String(offset) }
    const type = { 'content-type': 'application/offset+octet-stream' }
    const body = 'y'.repeat(4 - offset)
    const url = `${running.url}${id}`
    await fetch(url, { method: 'PATCH', headers: { ...headers, ...type }, body })
    await fetch(url, { method: 'HEAD', headers })
  }
  await running.stop()
  const calls = hooks.messages.map(({ text }) => JSON.parse(text) as HookCall)
  expect(calls.map(({ Type, Event }) => `${Type} ${Event.Upload.ID}`)).toEqual(['post-finish a'])
})

test('mistakes are refused with what to do', async () => {
  const folder = await folderWith({ a: 'xx', 'a.info': tusdRecord })
  const mistakes: readonly (readonly [readonly string[], string])[] = [
    [[folder], 'Say which server keeps them: --from tusd, rustus, tus-node.'],
    [['--from', 'tus', folder], "--from must be one of tusd, rustus, tus-node, not 'tus'"],
    [['--from', 'tusd', `${folder}/missing`], `There is no folder ${folder}/missing.`],
    [['--from', 'tusd', folder, '--records', './no'], 'There is no folder ./no.'],
    [['--from', 'tusd', folder, '--data', 'file:/srv'], 'is not in the directory of --data'],
    [['--from', 'tusd', folder, '--data', 'memory:'], 'so it cannot be in --data memory:'],
    [['--from', 'tusd', folder, '--info', 'memory:'], '--info memory: is in the memory'],
    [['--from', 'tusd', 's3://bucket', '--data', 'file:/srv'], 'Use --data s3://bucket, and move'],
    [['--from', 'tusd', 's3://bucket', '--cut'], '--records and --cut are for folders.'],
    [['--from', 'rustus', 's3://bucket'], 'Uploads of Rustus can be adopted only from folders.'],
    [['--from', 'tusd', 'x://bucket'], 'The place has the scheme x:, which no package offers.'],
    [['--from', 'tusd'], "missing required argument 'folder-or-url'"],
  ]
  for (const [flags, sentence] of mistakes) {
    const { code, errors } = await adopt(flags)
    expect(errors).toContain(sentence)
    expect(code).toBe(2)
  }
  expect(Object.keys(await contentOf(folder, { hidden: true }))).toEqual(['a', 'a.info'])
})
