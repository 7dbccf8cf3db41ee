import { randomBytes } from 'node:crypto'
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import {
  migrateData,
  migrateInfo,
  StoreComposer,
  TusError,
  type ComposerPart,
  type Migrated,
  type Upload,
} from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  fileComposer,
  head,
  memoryComposer,
  patch,
  serve,
  temporaryDirectory,
  type Site,
} from '../support/serve.js'
import { download, noAbort } from '../support/stages.js'

const bytes = randomBytes(300_000)

/** Uploads in every state, by id. */
async function fill(site: Site): Promise<void> {
  const create = (headers: Record<string, string>) => createUpload(site, headers)
  const size = String(bytes.length)
  const finished = await create({ 'upload-length': size, 'upload-metadata': 'filename YS50eHQ=' })
  await patch(finished, 0, bytes)
  const half = await create({ 'upload-length': size })
  await patch(half, 0, bytes.subarray(0, 100_000))
  const deferred = await create({ 'upload-defer-length': '1' })
  await patch(deferred, 0, bytes.subarray(0, 10))
  await create({ 'upload-length': '5' })
  await create({ 'upload-length': '0' })
  const partial = await create({ 'upload-length': '5', 'upload-concat': 'partial' })
  await patch(partial, 0, 'hello')
  await create({ 'upload-concat': `final;${partial} ${partial}` })
}

const ids = ['finished', 'half', 'deferred', 'untouched', 'empty', 'partial', 'final']

/** A server whose uploads have the ids above. */
async function filled(composer: StoreComposer): Promise<void> {
  const left = [...ids]
  const site = await serve({ composer, generateId: () => left.shift()! })
  await fill(site)
  expect(left).toEqual([])
  await site.server.stop()
}

/** Expects that clients continue all uploads on a server with other stores. */
async function expectUploads(composer: StoreComposer): Promise<void> {
  const site = await serve({ composer })
  const url = (id: string) => `${site.origin}/files/${id}`
  const offsets = await Promise.all(
    ids.map(async (id) => [id, (await head(url(id))).headers['upload-offset']]),
  )
  expect(Object.fromEntries(offsets)).toEqual({
    finished: '300000',
    half: '100000',
    deferred: '10',
    untouched: '0',
    empty: '0',
    partial: '5',
    final: '10',
  })
  expect(await download(url('finished'))).toEqual(bytes)
  expect((await download(url('final'))).toString()).toBe('hellohello')
  expect((await head(url('finished'))).headers['upload-metadata']).toBe('filename YS50eHQ=')
  expect((await patch(url('half'), 100_000, bytes.subarray(100_000))).status).toBe(204)
  expect(await download(url('half'))).toEqual(bytes)
  expect((await patch(url('untouched'), 0, 'hello')).status).toBe(204)
}

async function outcomes(migrating: AsyncIterable<Migrated>): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {}
  for await (const { id, outcome, error } of migrating) {
    all[id] = outcome === 'failed' ? (error as { code?: string }).code : outcome
  }
  return all
}

/** The same outcome for all uploads, with exceptions. */
const each = (outcome: string, exceptions: Record<string, unknown> = {}) => ({
  ...Object.fromEntries(ids.map((id) => [id, outcome])),
  ...exceptions,
})

const made = {
  memory: async () => ({ data: new MemoryStore(), info: new MemoryInfoStore() }),
  file: async () => {
    const directory = await temporaryDirectory()
    return { data: new FileStore({ directory }), info: new FileInfoStore({ directory }) }
  },
}

const pairs = [
  { before: 'file', after: 'file' },
  { before: 'file', after: 'memory' },
  { before: 'memory', after: 'file' },
] as const

describe.each(pairs)('from $before to $after', ({ before, after }) => {
  test('uploads keep their URLs, offsets and bytes, and continue', async () => {
    const [from, to] = [await made[before](), await made[after]()]
    await filled(new StoreComposer().use(from.data, from.info))
    const records = () => outcomes(migrateInfo({ from: from.info, to: to.info }))
    const data = () => outcomes(migrateData({ info: to.info, from: from.data, to: to.data }))
    expect(await records()).toEqual(each('copied'))
    expect(await records()).toEqual(each('present'))
    expect(await data()).toEqual(each('copied'))
    expect(await data()).toEqual(each('present'))
    await expectUploads(new StoreComposer().use(to.data, to.info))
  })
})

describe('migrateInfo', () => {
  test('continues after an id, and ends with its signal', async () => {
    const from = new MemoryInfoStore()
    await filled(new StoreComposer().use(new MemoryStore(), from))
    const to = new MemoryInfoStore()
    const [first, second, ...others] = [...ids].sort()
    const controller = new AbortController()
    const migrating = migrateInfo({ from, to, signal: controller.signal })
    expect(await migrating.next()).toEqual({ done: false, value: { id: first, outcome: 'copied' } })
    expect((await migrating.next()).value).toMatchObject({ id: second })
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(migrating.next()).rejects.toBe(reason)
    const rest = await outcomes(migrateInfo({ from, to, after: second! }))
    // They were looked at together with the first.
    expect(rest).toEqual(Object.fromEntries(others.map((id) => [id, 'present'])))
  })

  test('reports records that cannot be read, and those that differ, and copies the others', async () => {
    const directory = await temporaryDirectory()
    const from = new FileInfoStore({ directory })
    await filled(new StoreComposer().use(new MemoryStore(), from))
    const to = new MemoryInfoStore()
    const record = (await from.get('half'))!
    await to.create({ ...record, length: 7 }, noAbort)
    await truncate(join(directory, '.finished.info'), 3)
    expect(await outcomes(migrateInfo({ from, to }))).toEqual(
      each('copied', { half: 'ERR_ID_TAKEN', finished: 'ERR_INFO_CORRUPT' }),
    )
    expect((await to.get('half'))!.length).toBe(7)
  })

  test('copies what has changed since, and removes what is gone if asked to', async () => {
    const from = new MemoryInfoStore()
    const data = new MemoryStore()
    await filled(new StoreComposer().use(data, from))
    const to = new MemoryInfoStore()
    expect(await outcomes(migrateInfo({ from, to }))).toEqual(each('copied'))
    const record = async (id: string) => (await from.get(id))!
    const half = await record('half')
    const changes = [1, 2, 3].map((n) => ({ ...half, maxSize: n, revision: half.revision + n }))
    for (const change of changes) await from.update(change, noAbort)
    const empty = await record('empty')
    await from.delete('empty', noAbort)
    await from.create({ ...empty, createdAt: '2100-01-01T00:00:00.000Z' }, noAbort)
    await from.delete('final', noAbort)

    const { final: _, ...kept } = each('present', { half: 'updated', empty: 'updated' })
    expect(await outcomes(migrateInfo({ from, to }))).toEqual(kept)
    expect(await to.get('half')).toEqual(changes.at(-1))
    expect(await to.get('final')).toBeDefined()
    const removing = outcomes(migrateInfo({ from, to, removeGone: true }))
    expect(await removing).toEqual(each('present', { final: 'removed' }))
    expect(await to.get('final')).toBeUndefined()
    const repeated = outcomes(migrateInfo({ from, to, removeGone: true }))
    expect(await repeated).toEqual(
      Object.fromEntries(ids.filter((id) => id !== 'final').map((id) => [id, 'present'])),
    )
  })

  test('removes nothing from a store that has newer records', async () => {
    const from = new MemoryInfoStore()
    await filled(new StoreComposer().use(new MemoryStore(), from))
    const to = new MemoryInfoStore()
    await outcomes(migrateInfo({ from, to }))
    const half = (await to.get('half'))!
    await to.update({ ...half, revision: half.revision + 1 }, noAbort)
    await to.create({ ...half, id: 'new' }, noAbort)
    const removing = outcomes(migrateInfo({ from, to, removeGone: true }))
    await expect(removing).rejects.toMatchObject({ code: 'ERR_ID_TAKEN' })
    expect(await to.get('new')).toBeDefined()
    expect((await to.get('half'))!.revision).toBe(half.revision + 1)
  })

  test('removes nothing when the old store has no records at all', async () => {
    const from = new MemoryInfoStore()
    await filled(new StoreComposer().use(new MemoryStore(), from))
    const to = new MemoryInfoStore()
    await outcomes(migrateInfo({ from, to }))
    const empty = { from: new MemoryInfoStore(), to, removeGone: true }
    for (const options of [empty, { ...empty, after: 'a' }]) {
      const removing = outcomes(migrateInfo(options))
      await expect(removing).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
    }
    expect(await to.get('half')).toBeDefined()
  })

  test('removes nothing that it cannot list', () => {
    const { create, get, update } = new MemoryInfoStore()
    const to: ComposerPart = {
      useIn: (composer) => composer.useInfoStore({ create, get, update, delete: async () => {} }),
    }
    const from = new MemoryInfoStore()
    expect(() => migrateInfo({ from, to, removeGone: true })).toThrow('infoLister')
  })

  test('loses no record of a server that is at work until the last run', async () => {
    const directory = await temporaryDirectory()
    const site = await serve({ composer: fileComposer(directory) })
    const from = () => new FileInfoStore({ directory })
    const to = new MemoryInfoStore()
    let isServing = true
    const urls: string[] = []
    const work = async () => {
      const headers = { 'tus-resumable': '1.0.0' }
      while (urls.length < 20) {
        const url = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
        await patch(url, 0, 'hello')
        if (urls.length % 3 === 0) await fetch(url, { method: 'DELETE', headers })
        // Changes the records of its parts.
        else await createUpload(site, { 'upload-concat': `final;${url} ${url}` })
        urls.push(url)
      }
      await site.server.stop()
      isServing = false
    }
    const migrating = async () => {
      while (isServing) await outcomes(migrateInfo({ from: from(), to }))
      await outcomes(migrateInfo({ from: from(), to, removeGone: true }))
    }
    await Promise.all([work(), migrating()])
    const stored = async (store: FileInfoStore | MemoryInfoStore) => {
      const records = new Map<string, Upload | undefined>()
      for await (const id of store.ids(noAbort)) records.set(id, await store.get(id))
      return records
    }
    const before = await stored(from())
    expect(before.size).toBeGreaterThan(20)
    expect(await stored(to)).toEqual(before)
  })

  test('rejects when a store cannot be reached', async () => {
    const from = new MemoryInfoStore()
    await filled(new StoreComposer().use(new MemoryStore(), from))
    const to = new MemoryInfoStore()
    to.create = async () => {
      throw new TusError('ERR_STORAGE_UNAVAILABLE')
    }
    const migrating = outcomes(migrateInfo({ from, to }))
    await expect(migrating).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  })

  test('opens stores before their first use, and closes them at the end, even after a failure', async () => {
    for (const fails of [false, true]) {
      const log: string[] = []
      const store = new MemoryInfoStore()
      const from: ComposerPart = {
        useIn(composer) {
          composer.use(store).useLifecycle({
            open: async () => void log.push('open'),
            close: async () => void log.push('close'),
          })
        },
      }
      store.ids = async function* () {
        log.push('ids')
        if (fails) throw new Error('broken')
        yield* []
      }
      const migrating = outcomes(migrateInfo({ from, to: new MemoryInfoStore() }))
      if (fails) await expect(migrating).rejects.toThrow('broken')
      else expect(await migrating).toEqual({})
      expect(log).toEqual(['open', 'ids', 'close'])
    }
  })
})

describe('migrateData', () => {
  test('continues what was cut off, without copying again what is there', async () => {
    const [from, to] = [await temporaryDirectory(), await temporaryDirectory()]
    await filled(fileComposer(from))
    const options = () => ({
      info: new FileInfoStore({ directory: from }),
      from: new FileStore({ directory: from }),
      to: new FileStore({ directory: to }),
    })
    expect(await outcomes(migrateData(options()))).toEqual(each('copied'))
    const copy = join(to, await pathOf(from, 'finished'))
    await truncate(copy, 12_345)
    expect(await outcomes(migrateData(options()))).toEqual(each('present', { finished: 'copied' }))
    await truncate(copy, 12_345)
    await writeFile(copy, Buffer.alloc(1000), { flag: 'a' })
    const differing = each('present', { finished: 'ERR_DATA_EXISTS' })
    expect(await outcomes(migrateData(options()))).toEqual(differing)
  })

  test('an upload whose data is missing fails, and one that was moved is present', async () => {
    const [from, to] = [await temporaryDirectory(), await temporaryDirectory()]
    await filled(fileComposer(from))
    await rm(join(from, await pathOf(from, 'half')))
    const info = () => new FileInfoStore({ directory: from })
    const data = (directory: string) => new FileStore({ directory })
    const migrated = () => outcomes(migrateData({ info: info(), from: data(from), to: data(to) }))
    expect(await migrated()).toEqual(each('copied', { half: 'ERR_DATA_MISSING' }))
    await rm(join(from, await pathOf(from, 'finished')))
    expect(await migrated()).toEqual(each('present', { half: 'ERR_DATA_MISSING' }))
  })

  test('chooses the places, and records them only for what was copied', async () => {
    const from = new MemoryStore()
    const info = new MemoryInfoStore()
    await filled(new StoreComposer().use(from, info))
    const to = new FileStore({ directory: await temporaryDirectory() })
    const place = ({ id }: Upload) => ({ path: id === 'empty' ? '../outside' : `moved/${id}` })
    expect(await outcomes(migrateData({ info, from, to, place }))).toEqual(
      each('copied', { empty: 'ERR_INVALID_PLACE' }),
    )
    expect((await info.get('half'))!.storage).toEqual({
      kind: 'file',
      at: { path: 'moved/half' },
    })
    expect((await info.get('empty'))!.storage.kind).toBe('memory')
  })

  test('finishes what was finished when the new store has a finisher, once', async () => {
    const from = new MemoryStore()
    const info = new MemoryInfoStore()
    await filled(new StoreComposer().use(from, info))
    const finished: string[] = []
    const target = new MemoryStore()
    const to: ComposerPart = {
      useIn(composer) {
        composer.use(target).useFinisher({
          finish: async ({ id }) => void finished.push(id),
        })
      },
    }
    const place = ({ id }: Upload) => ({ key: `moved/${id}` })
    expect(await outcomes(migrateData({ info, from, to, place }))).toEqual(each('copied'))
    expect(finished.sort()).toEqual(['empty', 'final', 'finished', 'partial'])
    for (const id of finished) {
      expect((await info.get(id))!).toMatchObject({
        finish: 'recorded',
        state: { kind: 'finished' },
      })
    }
    expect(await info.get('half')).toMatchObject({
      finish: 'recorded',
      state: { kind: 'open' },
    })
  })
})

test.each<[object, string]>([
  [{}, "migrateInfo: option 'from' must be a store, not undefined"],
  [{ from: memoryComposer(), to: new MemoryInfoStore() }, "option 'from' must be a store"],
  [
    { from: new MemoryStore(), to: new MemoryInfoStore() },
    "option 'from' must be a store that fills the slots infoStore, infoLister",
  ],
  [{ from: new MemoryInfoStore(), to: new MemoryInfoStore(), aftr: 'a' }, "did you mean 'after'?"],
])('migrateInfo refuses wrong options %#', (options, message) => {
  expect(() => migrateInfo(options as never)).toThrow(message)
})

test('migrateData refuses a store that cannot read', () => {
  const info = new MemoryInfoStore()
  const from: ComposerPart = { useIn: (composer) => composer.useDataStore(new MemoryStore()) }
  expect(() => migrateData({ info, from, to: new MemoryStore() })).toThrow(
    "migrateData: option 'from' must be a store that fills the slots dataStore, contentReader",
  )
})

/** Returns the path of an upload's data in a FileStore. */
async function pathOf(directory: string, id: string): Promise<string> {
  const record = await new FileInfoStore({ directory }).get(id)
  return record!.storage.at.path!
}

describe('an adverse migration', () => {
  const upload = async (site: Site, text: string) => {
    const url = await createUpload(site, { 'upload-length': String(text.length) })
    expect((await patch(url, 0, text)).status).toBe(204)
  }

  /** Stores with the uploads a, b and c. */
  async function three() {
    const [from, info] = [new MemoryStore(), new MemoryInfoStore()]
    const left = ['a', 'b', 'c']
    const composer = new StoreComposer().use(from, info)
    const site = await serve({ composer, generateId: () => left.shift()! })
    for (const text of ['AAAA', 'AAAABBBB', 'CC']) await upload(site, text)
    await site.server.stop()
    return { from, info }
  }

  test('does not put two uploads at one place, or add to data of something else', async () => {
    const { from, info } = await three()
    const directory = await temporaryDirectory()
    const to = () => new FileStore({ directory })
    await writeFile(join(directory, 'other'), 'AA')
    const place = ({ id }: Upload) => ({ path: id === 'c' ? 'other' : 'shared' })
    for (const first of ['copied', 'present']) {
      expect(await outcomes(migrateData({ info, from, to: to(), place }))).toEqual({
        a: first,
        b: 'ERR_DATA_EXISTS',
        c: 'ERR_DATA_EXISTS',
      })
    }
    expect(await readFile(join(directory, 'shared'), 'utf8')).toBe('AAAA')
    expect(await readFile(join(directory, 'other'), 'utf8')).toBe('AA')
  })

  test('keeps the secret of a store across an interruption', async () => {
    const { from, info } = await three()
    const sound = new MemoryStore()
    const secrets = new Map<string, string>()
    let isBroken = true
    const check = (record: Upload) => {
      if (secrets.get(record.id) !== record.storage.secret) throw new Error('a wrong secret')
    }
    const to: ComposerPart = {
      useIn(composer) {
        composer.use(sound).useDataStore({
          maxSize: sound.maxSize,
          locate: ({ id }) => ({ kind: 'memory', at: { key: `moved/${id}` } }),
          async create(record, options) {
            secrets.set(record.id, `secret of ${record.id}`)
            await options.saveSecret(secrets.get(record.id)!)
            return sound.create(record, options)
          },
          stat: (record, options) => sound.stat(record, options),
          append(record, ...rest) {
            check(record)
            if (isBroken) throw new Error('broken')
            return sound.append(record, ...rest)
          },
        })
      },
    }
    const failed = { a: undefined, b: undefined, c: undefined }
    expect(await outcomes(migrateData({ info, from, to }))).toEqual(failed)
    expect(await info.get('a')).toMatchObject({ moving: { secret: 'secret of a' } })
    isBroken = false
    const copied = { a: 'copied', b: 'copied', c: 'copied' }
    expect(await outcomes(migrateData({ info, from, to }))).toEqual(copied)
    const record = await info.get('a')
    expect(record!.storage).toMatchObject({ at: { key: 'moved/a' }, secret: 'secret of a' })
    expect(record).not.toHaveProperty('moving')
  })

  test('rejects with the failure of the old store, and closes what it has opened', async () => {
    const { from, info } = await three()
    const streams: Readable[] = []
    const broken: ComposerPart = {
      useIn(composer) {
        composer.use(from).useContentReader({
          async read() {
            const stream = new Readable({
              read() {
                this.destroy(new TusError('ERR_STORAGE_UNAVAILABLE'))
              },
            })
            streams.push(stream)
            return stream
          },
        })
      },
    }
    const to = new FileStore({ directory: await temporaryDirectory() })
    const migrating = outcomes(migrateData({ info, from: broken, to }))
    await expect(migrating).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
    expect(streams.every(({ destroyed }) => destroyed)).toBe(true)
  })

  test('destroys the bytes of the old store when the new one refuses them', async () => {
    const { from, info } = await three()
    const streams: Readable[] = []
    const watched: ComposerPart = {
      useIn(composer) {
        composer.use(from).useContentReader({
          async read(...args) {
            const content = (await from.read(...args)) as Readable
            streams.push(content)
            return content
          },
        })
      },
    }
    const to = new FileStore({ directory: await temporaryDirectory() })
    to.append = async () => {
      throw new Error('full of bugs')
    }
    await outcomes(migrateData({ info, from: watched, to }))
    expect(streams).toHaveLength(3)
    expect(streams.every(({ destroyed }) => destroyed)).toBe(true)
  })

  test('ends with its signal during the last upload', async () => {
    const { from, info } = await three()
    const controller = new AbortController()
    const reason = new Error('enough')
    const to = new FileStore({ directory: await temporaryDirectory() })
    const { append } = to
    to.append = async (record, ...rest) => {
      if (record.id === 'c') controller.abort(reason)
      return append.call(to, record, ...rest)
    }
    const { signal } = controller
    await expect(outcomes(migrateData({ info, from, to, signal }))).rejects.toBe(reason)
  })

  test('refuses an upload that is too large for the new store', async () => {
    const { from, info } = await three()
    const to = new MemoryStore({ maxSize: 4 })
    const place = ({ id }: Upload) => ({ key: `moved/${id}` })
    expect(await outcomes(migrateData({ info, from, to, place }))).toEqual({
      a: 'copied',
      b: 'ERR_MAX_SIZE_EXCEEDED',
      c: 'copied',
    })
  })

  test('rejects when one store cannot be opened and another one hangs, and refuses closed ones', async () => {
    const parts = [
      async () => Promise.reject(new Error('wrong password')),
      () => new Promise<void>(() => {}),
    ]
    const [from, to] = parts.map((open): ComposerPart => ({
      useIn: (composer) =>
        composer.use(new MemoryInfoStore()).useLifecycle({ open, close: async () => {} }),
    }))
    await expect(outcomes(migrateInfo({ from: from!, to: to! }))).rejects.toThrow('wrong password')

    const once = { open: async () => {}, close: async () => {} }
    const store = new MemoryInfoStore()
    const part: ComposerPart = { useIn: (composer) => composer.use(store).useLifecycle(once) }
    await outcomes(migrateInfo({ from: part, to: new MemoryInfoStore() }))
    expect(() => migrateInfo({ from: part, to: new MemoryInfoStore() })).toThrow(
      'migrateInfo: Object has been closed; create a new one',
    )
  })
})
