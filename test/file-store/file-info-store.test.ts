import { appendFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { StoreComposer, type Upload } from 'tuskit'
import { FileInfoStore, FileStore, type FileInfoStoreOptions } from 'tuskit/file-store'
import { namesIn, newDirectory, signal, uploadOf, writing } from './stage.js'
import { calm } from '../stages.js'

async function newStore(options: Partial<FileInfoStoreOptions> = {}) {
  const directory = await newDirectory()
  return { directory, store: new FileInfoStore({ directory, ...options }) }
}

async function collect(ids: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const id of ids) all.push(id)
  return all
}

const next = (upload: Upload, fields: Partial<Upload> = {}): Upload => ({
  ...upload,
  ...fields,
  revision: upload.revision + 1,
})

const conflict = { code: 'ERR_INFO_CONFLICT' }

describe('FileInfoStore', () => {
  it('fills three slots and checks its options', async () => {
    const { store } = await newStore()
    const composer = new StoreComposer()
    store.useIn(composer)
    expect(composer.slots()).toEqual({ infoStore: store, expiryIndex: store, infoLister: store })
    expect(() => new FileInfoStore({ direktory: '' } as never)).toThrow("did you mean 'directory'")
  })

  it('keeps a record of any revision, as a migration brings it', async () => {
    const { store } = await newStore()
    const upload = uploadOf('a', { revision: 7 })
    await store.create(upload, calm)
    expect((await store.get('a'))?.revision).toBe(7)
    await store.update(next(upload), calm)
    expect((await store.get('a'))?.revision).toBe(8)
  })

  it('takes only the next revision, and writes nothing otherwise', async () => {
    const { store, directory } = await newStore()
    const upload = uploadOf('a')
    await expect(store.update(next(upload), calm)).rejects.toMatchObject(conflict)
    expect(await namesIn(directory)).toEqual([])
    await store.create(upload, calm)
    const before = await readFile(join(directory, '.a.info'))
    for (const revision of [0, 1, 3]) {
      await expect(store.update({ ...upload, revision }, calm)).rejects.toMatchObject(conflict)
    }
    expect(await readFile(join(directory, '.a.info'))).toEqual(before)
  })

  it('lets one of several concurrent calls succeed', async () => {
    const directory = await newDirectory()
    const stores = Array.from({ length: 8 }, () => new FileInfoStore({ directory }))
    const outcomes = async (calls: Promise<void>[]) =>
      (await Promise.allSettled(calls)).filter(({ status }) => status === 'fulfilled').length
    const upload = (length: number) => uploadOf('a', { length })
    expect(await outcomes(stores.map((store, i) => store.create(upload(i), calm)))).toBe(1)
    for (let revision = 2; revision < 10; revision++) {
      const calls = stores.map((store, i) => store.update({ ...upload(i), revision }, calm))
      const settled = await Promise.allSettled(calls)
      const winners = settled.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
      expect(winners).toHaveLength(1)
      for (const store of [...stores, new FileInfoStore({ directory })]) {
        expect(await store.get('a')).toMatchObject({ revision, length: winners[0] })
      }
    }
  })

  it('never takes a line that was cut off for a record', async () => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    const upload = uploadOf('a', { metadata: { raw: '', values: { name: 'é'.repeat(3000) } } })
    await store.create(upload, calm)
    const { size } = await stat(path)
    await store.update(next(upload, { length: 2 }), calm)
    const whole = await readFile(path)
    for (const end of [size, size + 1, size + 9, size + 3000, whole.length - 2, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, end))
      expect((await store.get('a'))?.revision).toBe(1)
      await store.update(next(upload, { length: 3 }), calm)
      expect(await store.get('a')).toMatchObject({ revision: 2, length: 3 })
      expect(await new FileInfoStore({ directory }).get('a')).toMatchObject({ length: 3 })
    }
  })

  it('ignores lines whose bytes have changed, and later lines of a revision', async () => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    const upload = uploadOf('a', { length: 1000 })
    await store.create(upload, calm)
    const first = await readFile(path, 'utf8')
    await appendFile(path, first.replace('1000', '2000'))
    await appendFile(path, 'garbage\n\n')
    await appendFile(path, first)
    await store.update(next(upload, { length: 3000 }), calm)
    const second = (await readFile(path, 'utf8')).split('\n').at(-2)
    await store.update({ ...upload, revision: 3, length: 4000 }, calm)
    await appendFile(path, `${second}\n${first}`)
    expect(await new FileInfoStore({ directory }).get('a')).toMatchObject({ length: 4000 })
  })

  it('takes what a crash in the middle of a creation left for nothing', async () => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    await store.create(uploadOf('a', { length: 1 }), calm)
    const whole = await readFile(path)
    for (const end of [0, 1, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, end))
      expect(await store.get('a')).toBeUndefined()
      await expect(store.update(uploadOf('a', { revision: 2 }), calm)).rejects.toMatchObject(
        conflict,
      )
      expect(await collect(store.expired(new Date(), { signal }))).toEqual(['a'])
      await store.create(uploadOf('a', { length: 2 }), calm)
      expect((await store.get('a'))?.length).toBe(2)
    }
  })

  it('tells a record that cannot be read from one that does not exist', async () => {
    const { store, directory } = await newStore()
    await store.create(uploadOf('a'), calm)
    const path = join(directory, '.b.info')
    await rename(join(directory, '.a.info'), path)
    expect(await store.get('b')).toBeUndefined()
    await mkdir(join(directory, '.c.info'))
    await expect(store.get('c')).rejects.toMatchObject({ code: 'EISDIR' })
  })

  it('keeps more records than it holds in memory', async () => {
    const { store } = await newStore()
    for (let i = 0; i < 1100; i++) await store.create(uploadOf(`u${i}`, { length: i }), calm)
    for (let i = 0; i < 1100; i++) expect((await store.get(`u${i}`))?.length).toBe(i)
    for (let i = 0; i < 1100; i++) expect((await store.get(`u${i}`))?.length).toBe(i)
  })

  describe('keeps records in memory, and', () => {
    it('reads anew what another instance has changed', async () => {
      const { store, directory } = await newStore()
      const other = new FileInfoStore({ directory })
      const upload = uploadOf('a', { length: 1 })
      await store.create(upload, calm)
      for (let revision = 1; revision < 10; revision++) {
        const writer = revision % 2 === 0 ? store : other
        await writer.update({ ...upload, revision: revision + 1, length: revision }, calm)
        for (const reader of [store, other]) {
          expect(await reader.get('a')).toMatchObject({ revision: revision + 1, length: revision })
        }
      }
    })

    it('sees what another instance has removed, created again, or put in its place', async () => {
      const { store, directory } = await newStore()
      const other = new FileInfoStore({ directory })
      await store.create(uploadOf('a', { length: 1 }), calm)
      await other.delete('a', calm)
      expect(await store.get('a')).toBeUndefined()
      await other.create(uploadOf('a', { length: 22 }), calm)
      expect((await store.get('a'))?.length).toBe(22)
      await writeFile(join(directory, 'new'), await readFile(join(directory, '.a.info')))
      await store.update(uploadOf('a', { revision: 2, length: 3 }), calm)
      await rename(join(directory, 'new'), join(directory, '.a.info'))
      expect(await store.get('a')).toMatchObject({ revision: 1, length: 22 })
    })

    it('is not misled by a refused change', async () => {
      const { store } = await newStore()
      await store.create(uploadOf('a', { length: 1 }), calm)
      const again = store.create(uploadOf('a', { length: 2 }), calm)
      await expect(again).rejects.toMatchObject({ code: 'ERR_ID_TAKEN' })
      const late = store.update(uploadOf('a', { revision: 5, length: 5 }), calm)
      await expect(late).rejects.toMatchObject(conflict)
      expect(await store.get('a')).toMatchObject({ revision: 1, length: 1 })
    })

    it.each(['create', 'update'] as const)(
      'shares no object with the caller of %s',
      async (method) => {
        const { store } = await newStore()
        if (method === 'update') await store.create(uploadOf('a'), calm)
        const secret = { parts: [1] }
        const revision = method === 'update' ? 2 : 1
        const storage = { kind: 'parts', at: {}, secret }
        await store[method](uploadOf('a', { revision, storage }), calm)
        secret.parts.push(2)
        expect((await store.get('a'))?.storage.secret).toEqual({ parts: [1] })
      },
    )

    it.each(['create', 'update'] as const)(
      'answers after %s as an instance that reads it',
      async (method) => {
        const { store, directory } = await newStore()
        if (method === 'update') await store.create(uploadOf('a'), calm)
        const revision = method === 'update' ? 2 : 1
        const metadata = { raw: 'name YQ==', values: { name: 'a' } }
        await store[method](uploadOf('a', { revision, metadata }), calm)
        const upload = await store.get('a')
        expect(upload).toStrictEqual(await new FileInfoStore({ directory }).get('a'))
        // A key like any other.
        expect(upload?.metadata.values.constructor).toBeUndefined()
      },
    )
  })

  it('lies beside data without a collision, whatever the ids', async () => {
    const directory = await newDirectory()
    const data = new FileStore({ directory })
    const infos = new FileInfoStore({ directory })
    const ids = ['a', 'a.info', 'a.info.info', 'a.verified', 'a.verified.info', 'a.tmp', '~', '-']
    for (const id of ids) {
      const { storage, ...unplaced } = uploadOf(id)
      const upload = { ...unplaced, storage: data.locate(unplaced) }
      await infos.create(upload, calm)
      await data.create(upload, writing())
      const batch = { async *[Symbol.asyncIterator]() {}, size: 0, readable: () => never() }
      await data.appendVerified(upload, { offset: 0 }, batch, async () => true, writing())
    }
    expect(await collect(infos.ids({ signal }))).toEqual([...ids].sort())
    for (const id of ids) {
      expect((await infos.get(id))?.id).toBe(id)
      await data.terminate(uploadOf(id), writing())
      await infos.delete(id, calm)
    }
    expect(await namesIn(directory)).toEqual([])
  })

  it('refuses an id that is none', async () => {
    const { store } = await newStore()
    for (const id of ['../a', '', 'a/b', '.a']) {
      await expect(store.get(id)).rejects.toMatchObject({ code: 'ERR_INVALID_UPLOAD_ID' })
    }
  })

  it('lists ids in order, after a given one, and stops when asked', async () => {
    const { store, directory } = await newStore()
    expect(await collect(store.ids({ signal }))).toEqual([])
    for (const id of ['b', 'B', 'a', 'a.b', '10', '9', '~', '_'])
      await store.create(uploadOf(id), calm)
    await writeFile(join(directory, 'data'), '')
    await writeFile(join(directory, '.info'), '')
    const sorted = ['10', '9', 'B', '_', 'a', 'a.b', 'b', '~']
    expect(await collect(store.ids({ signal }))).toEqual(sorted)
    expect(await collect(store.ids({ signal, after: 'a' }))).toEqual(['a.b', 'b', '~'])
    expect(await collect(store.ids({ signal, after: '~' }))).toEqual([])
    const reason = new Error('enough')
    const aborted = collect(store.ids({ signal: AbortSignal.abort(reason) }))
    await expect(aborted).rejects.toBe(reason)
  })
})

function never(): never {
  throw new Error('not called')
}
