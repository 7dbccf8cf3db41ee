import { mkdtemp, readFile, rm } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'tsup'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type * as FileStore from 'tuskit/file-store'
import type * as Tuskit from 'tuskit'
import { root } from '../docs/pages.js'
import { replaceAll } from '../proxies/proxy.js'
import { createUpload, head, patch, temporaryDirectory, type Site } from '../support/serve.js'

/** The versions of the format that a release writes and reads. */
interface Formats {
  readonly writes: number
  readonly reads: number
}

/** The release of this tree, one that prepares a new format, and the one that writes it. */
const releases = {
  current: { writes: 1, reads: 1 },
  next: { writes: 1, reads: 2 },
  later: { writes: 2, reads: 2 },
} satisfies Record<string, Formats>

type Release = keyof typeof releases
type Build = typeof Tuskit & typeof FileStore

const builds = new Map<string, Build>()
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tuskit-'))
  for (const [name, formats] of Object.entries(releases)) {
    builds.set(name, await make(join(folder, name), formats))
  }
})
afterAll(() => rm(folder, { recursive: true }))

/** Builds the sources with other versions of the format. */
async function make(outDir: string, { writes, reads }: Formats): Promise<Build> {
  await build({
    entry: {
      index: join(root, 'src/index.ts'),
      'file-store': join(root, 'src/file-store/index.ts'),
    },
    outExtension: () => ({ js: '.mjs' }),
    ...{ outDir, format: 'esm', target: 'node20', config: false, dts: false, silent: true },
    esbuildPlugins: [
      {
        name: 'formats',
        setup({ onLoad }) {
          onLoad({ filter: /\/src\/parse-upload\.ts$/ }, async ({ path }) => ({
            loader: 'ts',
            contents: replaceAll(await readFile(path, 'utf8'), [
              ['const writes = 1\n', `const writes = ${writes}\n`],
              ['const reads = 1\n', `const reads = ${reads}\n`],
            ]),
          }))
        },
      },
    ],
  })
  const load = (name: string) => import(pathToFileURL(join(outDir, `${name}.mjs`)).href)
  return { ...(await load('index')), ...(await load('file-store')) } as Build
}

async function serve(release: Release, directory: string): Promise<Pick<Site, 'origin'>> {
  const { createHandler, FileInfoStore, FileLocker, FileStore, StoreComposer } =
    builds.get(release)!
  const parts = [FileStore, FileInfoStore, FileLocker].map((Part) => new Part({ directory }))
  const composer = new StoreComposer().use(...parts)
  const server = http.createServer(createHandler({ basePath: '/files', composer }))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { origin: `http://127.0.0.1:${(server.address() as { port: number }).port}` }
}

const pairs = [
  ['current', 'next'],
  ['next', 'later'],
] as const

test.each(pairs)('the releases %s and %s serve the same uploads', async (...names) => {
  const directory = await temporaryDirectory()
  const [old, young] = [await serve(names[0], directory), await serve(names[1], directory)]
  for (const [first, second] of [
    [old, young],
    [young, old],
  ] as const) {
    // The length is declared later, so that all requests change the record.
    const url = await createUpload(first, { 'upload-defer-length': '1' })
    const { pathname } = new URL(url)
    expect((await patch(second.origin + pathname, 0, 'he')).status).toBe(204)
    const rest = await patch(first.origin + pathname, 2, 'llo', { 'upload-length': '5' })
    expect(rest.status).toBe(204)
    const { headers } = await head(second.origin + pathname)
    expect(headers).toMatchObject({ 'upload-offset': '5', 'upload-length': '5' })
  }
})

test('a release that skips the one in between harms no newer record', async () => {
  const directory = await temporaryDirectory()
  const [old, young] = [await serve('current', directory), await serve('later', directory)]
  const url = await createUpload(young, { 'upload-length': '5' })
  const { pathname } = new URL(url)
  expect((await head(old.origin + pathname)).status).toBe(423)
  const refused = await patch(old.origin + pathname, 0, 'hello')
  expect(refused.status).toBe(500)
  expect(refused.text).toContain('newer version')
  expect((await patch(young.origin + pathname, 0, 'hello')).status).toBe(204)
})
