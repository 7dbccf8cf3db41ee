import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { freePort } from '../support/free-port.js'
import { linksOf, readPage } from '../docs/pages.js'
import { npm } from './npm.js'
import { prepare } from './prepare.mjs'
import { runtime } from './runtime.js'
import { root } from './source-files.js'

const run = promisify(execFile)

/** The oldest supported version of Node, and newer lines. */
const versions = ['20.15.0', '22.23.3', '24.21.0']

let temporary: string
let tarball: string
let contents: readonly string[]
let consumer: string

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'tuskit-packaging-'))
  prepare()
  const packed = await npm('pack', '--ignore-scripts', '--json', '--pack-destination', temporary)
  type Packed = { readonly filename: string; readonly files: readonly { readonly path: string }[] }
  const [result] = JSON.parse(packed) as readonly [Packed]
  tarball = join(temporary, result.filename)
  contents = result.files.map(({ path }) => path)

  consumer = join(temporary, 'consumer')
  await mkdir(consumer)
  await writeFile(join(consumer, 'package.json'), '{ "private": true }')
  await npm('install', '--prefix', consumer, '--offline', tarball)
  await cp(join(root, 'test/house/consumer'), consumer, { recursive: true })
})

afterAll(async () => {
  await rm(temporary, { recursive: true, force: true })
})

test('the package holds the build, the pages and the examples, as they are in the repository', async () => {
  const others = contents.filter((path) => !/^dist\/[\w-]+\.(js|cjs|d\.ts|d\.cts)$/.test(path))
  const listed = await Promise.all(['docs', 'examples'].map(filesIn))
  const top = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
  expect(others.toSorted()).toEqual([...top, ...listed.flat()].toSorted())
})

test('links of the pages resolve inside the package', async () => {
  const installed = join(consumer, 'node_modules/tuskit')
  const paths = contents.filter((path) => path.endsWith('.md'))
  const pages = await Promise.all(paths.map((path) => readPage(path, installed)))
  const broken = pages.flatMap((page) =>
    linksOf(page)
      .filter(({ file }) => file.startsWith('..') || !existsSync(join(installed, file)))
      .map(({ file }) => `${page.path}: ${file}`),
  )
  expect(broken).toEqual([])
  expect(pages.flatMap(linksOf).length).toBeGreaterThan(50)
})

test('pages refer to sources and tests only where they describe the repository', async () => {
  const about = ['docs/conformance.md', 'docs/design.md']
  const paths = contents.filter((path) => path.endsWith('.md') && !about.includes(path))
  const pages = await Promise.all(paths.map((path) => readPage(path)))
  expect(pages.filter(({ text }) => /`(src|test)\//.test(text)).map(({ path }) => path)).toEqual([])
})

test.each(
  versions.flatMap((version) => ['esm.mjs', 'commonjs.cjs'].map((file) => [version, file])),
)('an upload on Node %s with %s', async (version, file) => {
  const { stdout } = await run(await runtime('node', version!), [file!], { cwd: consumer })
  expect(stdout.trim()).toBe(`v${version} round trip`)
})

test('publint has nothing to say', async () => {
  expect(await npm('exec', '--no', '--', 'publint', 'run', tarball, '--strict')).toMatch(/All good/)
})

test('the types of every entry are right for ESM and CommonJS', async () => {
  // It fails when it finds a problem.
  const options = ['--profile', 'node16', '--format', 'ascii', '--no-definitely-typed']
  const report = await npm('exec', '--no', '--', 'attw', tarball, ...options)
  const entries = Object.keys(manifest.tsup.entry)
  expect(report.match(/node16 \(from ESM\): 🟢 \(ESM\)/g)).toHaveLength(entries.length)
  expect(report.match(/node16 \(from CJS\): 🟢 \(CJS\)/g)).toHaveLength(entries.length)
})

test('the types compile in ESM and CommonJS', async () => {
  const source = `
    import { test } from 'node:test'
    import { createHandler, createUploadServer, isTusError, StoreComposer } from 'tuskit'
    import type { DataStore, HandlerOptions, ReadOptions, Upload, UploadBody } from 'tuskit'
    import { conformanceSuite } from 'tuskit/conformance'
    import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'
    import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
    import { segments, TcpProxy } from 'tuskit/store-kit'

    const composer = new StoreComposer().useLocker(new FileLocker({ directory: '.' }))
    composer.use(new FileStore({ directory: '.' }), new FileInfoStore({ directory: '.' }), new MemoryInfoStore())

    export const store: DataStore = new MemoryStore()
    export const options: HandlerOptions = { basePath: '/files', composer }
    export const stopped: Promise<void> = createUploadServer(createHandler(options)).stop()
    export const parts = (body: UploadBody, { signal }: ReadOptions) => segments(body, { size: 5, signal })
    export const proxy: Promise<TcpProxy> = TcpProxy.start({ port: 21 })
    export const idOf = (upload: Upload): string => upload.id
    export const missing = (error: unknown): boolean => isTusError(error, 'ERR_UPLOAD_NOT_FOUND')

    conformanceSuite({ test, slots: ['locker'], factory: () => ({ composer, n: 1 }), unplug: { down: ({ n }) => () => n } })

    // @ts-expect-error The options are typed.
    createHandler({ basePath: 1, composer })
  `
  const compilerOptions = {
    module: 'node16',
    target: 'es2022',
    lib: ['es2022'],
    strict: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  }
  await writeFile(join(consumer, 'consumer.mts'), source)
  await writeFile(join(consumer, 'consumer.cts'), source)
  await writeFile(
    join(consumer, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['consumer.mts', 'consumer.cts'] }),
  )
  expect(await npm('exec', '--no', '--', 'tsc', '--project', consumer)).toBe('')
})

/** Returns all files below a folder of the repository, except those that npm installs. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true })
  const nested = entries
    .filter(({ name }) => name !== 'node_modules')
    .map(async (entry) => {
      const path = `${folder}/${entry.name}`
      return entry.isDirectory() ? filesIn(path) : [path]
    })
  return (await Promise.all(nested)).flat()
}

// A terminal signals the whole process group, a service manager only the first process.
test.each([
  ['SIGINT', 'whole group'],
  ['SIGTERM', 'first process'],
] as const)('npm start serves until %s comes to the %s', async (signal, target) => {
  const uploads = join(temporary, `uploads-${signal}`)
  const port = await freePort()
  const started = spawn('npm', ['start', '--', '--port', String(port)], {
    cwd: root,
    env: { ...process.env, TUSKIT_DATA: `file:${uploads}` },
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(started, 'exit')
  try {
    let output = ''
    const lines = started.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })
    for await (const text of lines) {
      output += text as string
      if (/http:\S+\s/.test(output)) break
    }
    const [url] = /http:\S+/.exec(output)!
    expect(url).toContain(`:${port}/`)
    const created = await fetch(url, {
      method: 'POST',
      headers: {
        'Tus-Resumable': '1.0.0',
        'Upload-Length': '5',
        'Content-Type': 'application/offset+octet-stream',
      },
      body: 'hello',
    })
    expect(created.status).toBe(201)
    expect(await readdir(uploads)).not.toEqual([])

    process.kill(target === 'whole group' ? -started.pid! : started.pid!, signal)
    expect(await exited).toEqual([0, null])
  } finally {
    if (started.exitCode === null && started.signalCode === null) {
      process.kill(-started.pid!, 'SIGKILL')
    }
  }
})
