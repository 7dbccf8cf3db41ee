import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { LimitedStore, MemorySpaceCounter } from 'tuskit/limited-store'
import { MemoryInfoStore } from 'tuskit/memory-store'
import { createFinal, createPartial } from '../requirements/tus/parts.js'
import {
  createUpload,
  idOf,
  openPatch,
  patch,
  remove,
  serve,
  temporaryDirectory,
} from '../support/serve.js'
import { untilOffset } from '../support/serve.js'
import { keptLog, newGate } from '../support/stages.js'
import { createOf, deferred, inFiles, inMemory, inners, serveLimited } from './limited.js'
import { storeWith, tryToCreate, type Inner } from './limited.js'

describe.each(inners)('uploads from before the start, in $medium', ({ open }) => {
  test('are counted: lengths, stored bytes, partial and final uploads', async () => {
    const inner = await open()
    const composer = new StoreComposer()
    inner.store.useIn(composer)
    inner.infoStore.useIn(composer)
    const site = await serve({ composer })
    await createOf(site, 100)
    await patch(await createUpload(site, deferred), 0, 'hello')
    await createFinal(site, await createPartial(site, 'hello'), await createPartial(site, 'world'))
    await patch(await createOf(site, 5), 0, 'hello')
    await remove(await createOf(site, 5))

    const limited = await serveLimited({ ...inner, limit: 131 })
    expect((await tryToCreate(limited, 2)).status).toBe(507)
    expect(limited.counter.used).toBe(130)
    expect((await tryToCreate(limited, 1)).status).toBe(201)
  })

  test('continue even if they use more than the limit', async () => {
    const inner = await open()
    const before = await serveLimited(inner)
    const url = await createOf(before, 11)
    await patch(url, 0, 'hello ')
    const after = await serveLimited({ ...inner, limit: 5 })
    expect((await tryToCreate(after, 1)).status).toBe(507)
    const sameUpload = `${after.origin}${new URL(url).pathname}`
    expect((await patch(sameUpload, 6, 'world')).headers['upload-offset']).toBe('11')
    expect((await remove(sameUpload)).status).toBe(204)
    expect((await tryToCreate(after, 5)).status).toBe(201)
  })
})

test('after kill -9 during bodies, the next process counts what is stored', async () => {
  const directory = await temporaryDirectory()
  const first = await startServer(directory, 100)
  await createOf(first, 40)
  const url = await createUpload(first, deferred)
  const { request } = openPatch(url, 0, { 'transfer-encoding': 'chunked' })
  request.on('error', () => {})
  request.write('x'.repeat(30))
  await untilOffset(url, 30)
  expect((await tryToCreate(first, 31)).status).toBe(507)
  await first.kill()

  const second = await startServer(directory, 100)
  expect((await tryToCreate(second, 31)).status).toBe(507)
  const sameUpload = `${second.origin}${new URL(url).pathname}`
  expect((await patch(sameUpload, 30, 'x'.repeat(31))).status).toBe(507)
  expect((await tryToCreate(second, 30)).status).toBe(201)
  expect((await remove(sameUpload)).status).toBe(204)
  expect((await tryToCreate(second, 31)).status).toBe(507)
  expect((await tryToCreate(second, 30)).status).toBe(201)
})

type Breakage = (path: string) => Promise<unknown>

const unreadable: readonly (readonly [what: string, damage: Breakage])[] = [
  ['is damaged', async (path) => writeFile(path, (await readFile(path, 'utf8')).replace('5', '6'))],
  ['is empty', (path) => writeFile(path, '')],
  ['is full of zeros', (path) => writeFile(path, Buffer.alloc(4096))],
  ['is a directory', async (path) => [await rm(path), await mkdir(path)]],
  ['is a link to itself', async (path) => [await rm(path), await symlink(path, path)]],
]

test.each(unreadable)('a record that %s does not prevent the count', async (_, damage) => {
  const directory = await temporaryDirectory()
  const before = await serve({ composer: composerOf(directory) })
  const id = idOf(await createOf(before, 5))
  await damage(join(directory, `.${id}.info`))
  await createOf(before, 6)

  const logger = keptLog()
  const site = await serveLimited({ ...inFiles(directory), logger })
  expect((await tryToCreate(site, 6)).status).toBe(507)
  expect((await tryToCreate(site, 5)).status).toBe(201)
  expect(logger.lines).toEqual([
    expect.objectContaining({
      level: 'error',
      fields: { uploadId: id, error: expect.any(Error) },
    }),
  ])
})

test('an upload whose data cannot be read counts its declared length', async () => {
  const broken = new Set<string>()
  const store = storeWith((inner) => ({
    async stat(upload, options) {
      if (broken.has(upload.id)) throw new Error('This block cannot be read')
      return inner.stat(upload, options)
    },
  }))
  const infoStore = new MemoryInfoStore()
  const before = await serveLimited({ store, infoStore })
  for (const length of ['1', '2']) await createUpload(before, { 'upload-length': length })
  for (const declared of [{ 'upload-length': '3' }, deferred]) {
    broken.add(idOf(await createUpload(before, declared)))
  }
  const logger = keptLog()
  const site = await serveLimited({ store, infoStore, logger })
  expect((await tryToCreate(site, 6)).status).toBe(507)
  expect((await tryToCreate(site, 5)).status).toBe(201)
  const logged = logger.lines.map(({ fields }) => String(fields['uploadId']))
  expect(logged.sort()).toEqual([...broken].sort())
})

test('a count in which not one upload can be read fails, and is repeated', async () => {
  let broken = false
  const store = storeWith((inner) => ({
    async stat(upload, options) {
      if (broken) throw new Error('The disk is gone')
      return inner.stat(upload, options)
    },
  }))
  const infoStore = new MemoryInfoStore()
  const url = await createUpload(await serveLimited({ store, infoStore }), deferred)
  await patch(url, 0, 'hello')
  broken = true
  const site = await serveLimited({ store, infoStore, logger: keptLog() })
  expect((await tryToCreate(site, 1)).status).toBe(500)
  broken = false
  expect((await tryToCreate(site, 7)).status).toBe(507)
  expect((await tryToCreate(site, 6)).status).toBe(201)
})

test('an upload that is terminated during the count uses no space', async () => {
  const counting = newGate()
  let slow = false
  const store = storeWith((inner) => ({
    async stat(upload, options) {
      const found = await inner.stat(upload, options)
      if (slow) await counting.pass()
      return found
    },
  }))
  const infoStore = new MemoryInfoStore()
  const url = await createOf(await serveLimited({ store, infoStore }), 11)
  const counter = new MemorySpaceCounter()
  const composer = new StoreComposer()
  const limited = new LimitedStore({ limit: 11, store, infoStore, counter })
  limited.useIn(composer)
  const site = await serve({ composer })

  slow = true
  const counted = limited.count()
  await counting.reached
  slow = false
  expect((await remove(`${site.origin}${new URL(url).pathname}`)).status).toBe(204)
  counting.open()
  await counted
  expect(counter.used).toBe(0)
})

test('a count that takes long is logged, and continues', async () => {
  const counting = newGate()
  const { store, infoStore } = inMemory()
  await createOf(await serveLimited({ store, infoStore }), 11)
  const slow = listed(infoStore, async function* (ids) {
    await counting.pass()
    yield* ids
  })
  const site = await serveLimited({ store, infoStore: slow, spaceTimeout: 20 })
  const early = await tryToCreate(site, 1)
  expect(early).toMatchObject({ status: 503, text: expect.stringMatching(/^ERR_UPLOAD_BUSY/) })
  expect(early.headers['retry-after']).toBe('1')
  counting.open()
  expect((await tryToCreate(site, 1)).status).toBe(507)
})

test('a count that fails refuses requests for space, and is repeated', async () => {
  let broken = true
  const { store, infoStore } = inMemory()
  const flaky = listed(infoStore, (ids) => {
    if (broken) throw new Error('The disk is gone')
    return ids
  })
  const site = await serveLimited({ store, infoStore: flaky })
  expect((await tryToCreate(site, 1)).status).toBe(500)
  broken = false
  expect((await tryToCreate(site, 1)).status).toBe(201)
  expect(site.counter.used).toBe(1)
})

test('uploads are counted a few at a time', async () => {
  let [running, most] = [0, 0]
  const store = storeWith((inner) => ({
    async stat(upload, options) {
      most = Math.max(most, ++running)
      await new Promise(setImmediate)
      running--
      return inner.stat(upload, options)
    },
  }))
  const infoStore = new MemoryInfoStore()
  const before = await serveLimited({ store, infoStore, limit: 1000 })
  for (let i = 0; i < 100; i++) await createOf(before, 3)
  most = 0
  const counter = new MemorySpaceCounter()
  await new LimitedStore({ limit: 1000, store, infoStore, counter }).count()
  expect(counter.used).toBe(300)
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(32)
})

/** Records that are listed in the way of the test. */
function listed(
  infoStore: Inner['infoStore'],
  list: (ids: AsyncIterable<string>) => AsyncIterable<string>,
): Inner['infoStore'] {
  return {
    useIn(composer) {
      infoStore.useIn(composer)
      const { infoLister } = composer.slots()
      composer.useInfoLister({ ids: (options) => list(infoLister!.ids(options)) })
    },
  }
}

function composerOf(directory: string): StoreComposer {
  const { store, infoStore } = inFiles(directory)
  return new StoreComposer().use(store, infoStore)
}

async function startServer(directory: string, limit: number) {
  const program = fileURLToPath(new URL('../programs/limited-server.mjs', import.meta.url))
  const child = fork(program, [directory, String(limit)])
  const exited = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  onTestFinished(kill)
  const [origin] = (await once(child, 'message')) as [string]
  return { origin, kill }
}
