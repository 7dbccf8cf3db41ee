import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startProgram } from '../program.js'
import { adopt, contentOf, copyOf, sha256, uploadsIn, type RecordedUpload } from './folders.js'

const tus = { 'tus-resumable': '1.0.0' }

/** Recorded folders, how they are adopted, and the names of the uploads that are not. */
const cases = [
  { folder: 'tusd', from: 'tusd', refused: { 'hook-id-and-path': /an id has 1 to 200/ } },
  { folder: 'tusd-outside', from: 'tusd', data: 'uploads', root: '', refused: {} },
  { folder: 'tusd-killed', from: 'tusd', refused: {} },
  {
    folder: 'rustus',
    from: 'rustus',
    data: 'data',
    records: 'info',
    refused: { overrun: /1500 bytes, more than its length of 1000/, doubled: /see --cut/ },
  },
  {
    folder: 'rustus-folders',
    from: 'rustus',
    data: 'data',
    records: 'info',
    more: ['--cut'],
    refused: { overrun: /1500 bytes, more than its length of 1000/ },
  },
  { folder: 'tus-node-1', from: 'tus-node', refused: { slash: /an id has 1 to 200/ } },
  { folder: 'tus-node-2', from: 'tus-node', refused: { slash: /an id has 1 to 200/ } },
] as const satisfies readonly {
  readonly folder: string
  readonly from: string
  readonly data?: string
  readonly records?: string
  readonly root?: string
  readonly more?: readonly string[]
  readonly refused: Readonly<Record<string, RegExp>>
}[]

function flagsOf(one: (typeof cases)[number], moved: string) {
  const data = join(moved, 'data' in one ? one.data : '')
  const root = 'root' in one ? join(moved, one.root) : data
  const records = 'records' in one ? ['--records', join(moved, one.records)] : []
  const more = 'more' in one ? one.more : []
  return { root, flags: ['--from', one.from, data, '--data', `file:${root}`, ...records, ...more] }
}

test.for(cases)('$folder: uploads are adopted, served and finished', async (one) => {
  const moved = await copyOf(one.folder)
  const { root, flags } = flagsOf(one, moved)
  const before = await contentOf(moved, { hidden: false })
  const { code, output, errors } = await adopt(flags)
  const refused: Readonly<Record<string, RegExp>> = one.refused
  const uploads = uploadsIn(one.folder)
  const adopted = uploads.filter(({ name }) => refused[name] === undefined)
  expect(output).toContain(
    `${adopted.length} adopted, 0 adopted before, ${uploads.length - adopted.length} not adopted`,
  )
  expect(output).not.toContain('no record')
  expect(output).toContain(`Now start the server with --data file:${root}\n`)
  expect(code).toBe(adopted.length === uploads.length ? 0 : 1)
  for (const [name, reason] of Object.entries(refused)) {
    const { id } = uploads.find((upload) => upload.name === name)!
    const line = errors.split('\n').find((text) => text.startsWith(`not adopted: ${id}: `))
    expect(line).toMatch(reason)
  }
  if (!('more' in one)) expect(await contentOf(moved, { hidden: false })).toEqual(before)

  const { url } = await startProgram(['--data', `file:${root}`])
  for (const upload of uploads) {
    if (refused[upload.name] === undefined) await checkServed(url, upload)
    else {
      const path = encodeURIComponent(upload.id)
      const { status } = await fetch(`${url}${path}`, { method: 'HEAD', headers: tus })
      expect([upload.name, status]).toEqual([upload.name, 404])
    }
  }
})

async function checkServed(base: string, upload: RecordedUpload): Promise<void> {
  const { id, name, offset } = upload
  const url = `${base}${id}`
  const head = await fetch(url, { method: 'HEAD', headers: tus })
  const shown = {
    name,
    status: head.status,
    offset: Number(head.headers.get('upload-offset')),
    length: head.headers.get('upload-length'),
    metadata: decoded(head.headers.get('upload-metadata')),
    concat: head.headers.get('upload-concat')?.split(';')[0],
  }
  const metadata = Object.entries(upload.metadata).map(([key, value]) => [key, value ?? ''])
  expect(shown).toEqual({
    name,
    status: 200,
    offset,
    length: upload.length === null ? null : String(upload.length),
    metadata: Object.fromEntries(metadata),
    concat: upload.concat,
  })
  // Downloads show the stored bytes only of finished uploads, so the others are finished first.
  const length = upload.length ?? offset + 10
  const rest = Buffer.alloc(length - offset, name)
  if (offset < length || upload.length === null) {
    const patched = await fetch(url, {
      method: 'PATCH',
      headers: {
        ...tus,
        'content-type': 'application/offset+octet-stream',
        'upload-offset': String(offset),
        ...(upload.length === null && { 'upload-length': String(length) }),
      },
      body: rest,
    })
    expect([name, patched.status, patched.headers.get('upload-offset')]).toEqual([
      name,
      204,
      String(length),
    ])
  }
  const content = Buffer.from(await (await fetch(url)).arrayBuffer())
  const half = content.subarray(0, offset)
  // A client sent these bytes twice at once, and both were stored.
  const stored = name === 'doubled' ? Buffer.concat([half, half]) : half
  expect([name, sha256(stored), content.length]).toEqual([name, upload.sha256, length])
  expect(content.subarray(offset).equals(rest)).toBe(true)
}

function decoded(header: string | null): Readonly<Record<string, string>> {
  const pairs = (header ?? '').split(',').filter((pair) => pair !== '')
  return Object.fromEntries(
    pairs.map((pair) => {
      const [key = '', value = ''] = pair.split(' ')
      return [key, Buffer.from(value, 'base64').toString()]
    }),
  )
}

test.for(cases)('$folder: --dry-run shows every upload, and changes nothing', async (one) => {
  const moved = await copyOf(one.folder)
  const { flags } = flagsOf(one, moved)
  const before = await contentOf(moved, { hidden: true })
  const { output } = await adopt([...flags, '--dry-run'])
  const refused: Readonly<Record<string, RegExp>> = one.refused
  for (const { id, name } of uploadsIn(one.folder)) {
    const line = output.split('\n').find((text) => text.split(/ {2,}/)[1] === id)
    expect(line).toMatch(refused[name] === undefined ? /^adopt / : /^not adopted /)
  }
  expect(await contentOf(moved, { hidden: true })).toEqual(before)
})

test.for(cases)('$folder: a second run changes nothing', async (one) => {
  const moved = await copyOf(one.folder)
  const { flags } = flagsOf(one, moved)
  await adopt(flags)
  const before = await contentOf(moved, { hidden: true })
  const { code, output } = await adopt(flags)
  const refused = Object.keys(one.refused).length
  const present = uploadsIn(one.folder).length - refused
  expect(output).toContain(`0 adopted, ${present} adopted before, ${refused} not adopted`)
  expect(code).toBe(refused === 0 ? 0 : 1)
  expect(await contentOf(moved, { hidden: true })).toEqual(before)
})
