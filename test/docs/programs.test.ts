import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { freePort } from '../support/free-port.js'
import { readPage, root } from './pages.js'

const tus = { 'tus-resumable': '1.0.0' }
const data = { ...tus, 'content-type': 'application/offset+octet-stream' }

let home: string

beforeAll(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'tuskit-docs-')))
  // The same layout as after `npm install`. The folders of the programs are below it.
  const modules = join(home, 'node_modules')
  await mkdir(join(modules, 'tuskit'), { recursive: true })
  await symlink(join(root, 'test/.dist'), join(modules, 'tuskit/dist'))
  const entries = Object.keys(manifest.tsup.entry).map((name) => [
    name === 'index' ? '.' : `./${name}`,
    `./dist/${name}.js`,
  ])
  const exports = Object.fromEntries(entries) as Record<string, string>
  const packed = JSON.stringify({ name: 'tuskit', type: 'module', exports })
  await writeFile(join(modules, 'tuskit/package.json'), packed)
  await symlink(join(root, 'node_modules/tus-js-client'), join(modules, 'tus-js-client'))
})

afterAll(() => rm(home, { recursive: true, force: true }))

test.each([
  ['README.md', 'server.mjs'],
  ['docs/getting-started.md', 'server.mjs'],
  ['docs/coming-from-tus-node-server.md', 'server.mjs'],
])('%s: %s serves the client of the documentation, and stops', async (path, name) => {
  const { folder, port, start } = await unpack(path)
  const server = await start(name)
  if (!['server.mjs'].includes(name)) {
    expect(await (await fetch(`http://localhost:${port}/`)).text()).toBe('hello')
  }

  const { blocks } = await readPage('docs/getting-started.md')
  const client = blocks.find((block) => block.name === 'client.mjs')!
  await writeFile(join(folder, 'client.mjs'), onPort(client.code, port))
  const content = randomBytes(300_000)
  await writeFile(join(folder, 'film'), content)
  const { output, code } = await run(folder, 'client.mjs', 'film')
  expect(code, output).toBe(0)
  const url = /stored at (\S+)/.exec(output)![1]!
  const downloaded = await fetch(url)
  expect(downloaded.headers.get('content-disposition')).toContain('holiday.mp4')
  expect(Buffer.from(await downloaded.arrayBuffer()).equals(content)).toBe(true)

  server.kill('SIGTERM')
  const [status] = (await once(server, 'exit')) as [number | null]
  if (process.platform !== 'win32') expect(status).toBe(0)
})

test('docs/writing-a-store.md: the minimal store takes uploads', async () => {
  const { port, start } = await unpack('docs/writing-a-store.md')
  await start('server.mjs')
  const files = `http://localhost:${port}/files`
  const offered = await fetch(files, { method: 'OPTIONS' })
  expect(offered.headers.get('tus-extension')).toBe(
    'creation,creation-with-upload,creation-defer-length',
  )
  const url = await create(files, 'hello ', { 'upload-length': '11' })
  const first = await fetch(url, { method: 'HEAD', headers: tus })
  expect(first.headers.get('upload-offset')).toBe('6')
  const headers = { ...data, 'upload-offset': '6' }
  const last = await fetch(url, { method: 'PATCH', headers, body: 'world' })
  expect([last.status, last.headers.get('upload-offset')]).toEqual([204, '11'])
})

test('docs/writing-a-store.md: the minimal store passes the suite', async () => {
  const { folder, blocks } = await unpack('docs/writing-a-store.md')
  const { code } = blocks.find(({ name }) => name === 'folder-store.test.mjs')!
  const minimal = code
    .replace(/slots: .*/, "slots: ['dataStore'],")
    .replace('async factory', 'content: ({ id }, { folder }) => readFile(join(folder, id)),\n  $&')
    .replace('mkdtemp,', 'mkdtemp, readFile,')
  await writeFile(join(folder, 'minimal.test.mjs'), minimal)
  await expectPassed(folder, 'minimal.test.mjs', 30)
})

test('docs/writing-a-store.md: the complete store passes the suite', async () => {
  const { folder, blocks } = await unpackComplete()
  const { code } = blocks.find(({ name }) => name === 'folder-store.test.mjs')!
  const support = new URL('../support/open-files.mjs', import.meta.url).href
  const counting = code
    .replace('import', `import { openFiles } from '${support}'\n$&`)
    .replace('grow:', 'openHandles: ({ folder }) => openFiles(folder).length,\n  $&')
  await writeFile(join(folder, 'folder-store.test.mjs'), counting)
  await expectPassed(folder, 'folder-store.test.mjs', 60)
})

test('docs/writing-a-store.md: the complete store does all that a store can', async () => {
  const { port, start } = await unpackComplete()
  await start('server.mjs')
  const files = `http://localhost:${port}/files`

  const parts = await Promise.all(
    ['hello ', 'world'].map((text) =>
      create(files, text, {
        'upload-length': String(text.length),
        'upload-concat': 'partial',
        'upload-checksum': `sha1 ${createHash('sha1').update(text).digest('base64')}`,
      }),
    ),
  )
  const concat = `final;${parts.map((part) => new URL(part).pathname).join(' ')}`
  const joined = await fetch(files, {
    method: 'POST',
    headers: { ...tus, 'upload-concat': concat },
  })
  const url = new URL(joined.headers.get('location')!, files).href
  const range = await fetch(url, { headers: { range: 'bytes=4-6' } })
  expect([range.status, await range.text()]).toEqual([206, 'o w'])
  expect(await (await fetch(url)).text()).toBe('hello world')

  const wrong = await create(files, '', { 'upload-length': '5' })
  const digest = createHash('sha1').update('other').digest('base64')
  const headers = { ...data, 'upload-offset': '0', 'upload-checksum': `sha1 ${digest}` }
  const refused = await fetch(wrong, { method: 'PATCH', headers, body: 'world' })
  expect([refused.status, refused.headers.get('upload-offset')]).toEqual([460, '0'])
  expect((await fetch(wrong, { method: 'DELETE', headers: tus })).status).toBe(204)
  expect((await fetch(wrong, { method: 'HEAD', headers: tus })).status).toBe(404)
})

test('docs/hooks.md: files keep their names, each in a folder of its own', async () => {
  const { folder, port, start } = await unpack('docs/hooks.md')
  await start('original-names.mjs')
  const files = `http://localhost:${port}/files`
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const upload = (name: string, authorization = 'Bearer token-of-ann') =>
    create(files, 'hello', {
      authorization,
      'upload-length': '5',
      'upload-metadata': `filename ${base64(name)}`,
    })
  const given = ['holiday.mp4', 'holiday.mp4', '../../../etc/passwd', 'nul', '']
  for (const name of given) await upload(name)
  await expect(upload('a', 'Bearer nobody')).rejects.toThrow()

  const paths = await readdir(join(folder, 'uploads'), { recursive: true, withFileTypes: true })
  const stored = paths.filter((path) => path.isFile())
  const names = stored.map(({ name }) => name).filter((name) => !name.startsWith('.'))
  expect(names.toSorted()).toEqual(['_nul', 'file', 'holiday.mp4', 'holiday.mp4', 'passwd'])
  for (const { parentPath, name } of stored) {
    if (name.startsWith('.')) continue
    expect(relative(folder, parentPath)).toMatch(/^uploads.ann.\d{4}-\d\d-\d\d.[0-9a-f]{32}$/)
    expect(await readFile(join(parentPath, name), 'utf8')).toBe('hello')
  }
})

/** Writes the programs of the page on stores, with all methods in the class. */
async function unpackComplete() {
  const { folder, port, start, blocks } = await unpack('docs/writing-a-store.md')
  const methods = blocks.filter(({ code }) => code.startsWith('  ')).map(({ code }) => code)
  expect(methods).toHaveLength(5)
  const { name, code } = blocks.find((block) => block.name === 'folder-store.mjs')!
  // After the other members: of two methods with the same name, the last one counts.
  const whole = code.replace(/^}$/m, `${methods.join('\n')}\n}`)
  await writeFile(join(folder, name), whole)
  return { folder, port, start, blocks }
}

async function expectPassed(folder: string, name: string, least: number): Promise<void> {
  const { code, output } = await run(folder, '--test-reporter=tap', name)
  expect(code, output).toBe(0)
  expect(Number(/^# pass (\d+)$/m.exec(output)?.[1])).toBeGreaterThan(least)
}

async function create(
  files: string,
  body: string,
  headers: Record<string, string>,
): Promise<string> {
  const created = await fetch(files, { method: 'POST', headers: { ...data, ...headers }, body })
  expect(created.status, await created.text()).toBe(201)
  return new URL(created.headers.get('location')!, files).href
}

/** Writes the programs of a page to a new folder, with a free port. */
async function unpack(path: string) {
  const { blocks } = await readPage(path)
  const port = await freePort()
  const folder = await mkdtemp(join(home, 'programs-'))
  for (const { name, code } of blocks) {
    if (name !== '') await writeFile(join(folder, name), onPort(code, port))
  }
  const start = async (name: string) => {
    const server = spawn(process.execPath, [name], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void server.kill('SIGKILL'))
    // The programs print this line when they listen.
    const [line] = (await once(server.stdout, 'data')) as [Buffer]
    expect(line.toString()).toBe(`Uploads to http://localhost:${port}/files/\n`)
    return server
  }
  return { folder, port, start, blocks }
}

function onPort(code: string, port: number): string {
  return code.replaceAll('1080', String(port))
}

async function run(folder: string, ...args: string[]) {
  const child = spawn(process.execPath, args, { cwd: folder })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (text) => (output += text))
  child.stderr.on('data', (text) => (output += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { output, code }
}
