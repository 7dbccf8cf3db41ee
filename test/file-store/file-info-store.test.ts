import { appendFile, mkdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { StoreComposer, type Upload } from 'tuskit'
import { FileInfoStore, FileStore, type FileInfoStoreOptions } from 'tuskit/file-store'
import { followLog } from '../../src/file-store/records/info-log.js'
import { OpenFile } from '../../src/file-store/disk/disk.js'
import { namesIn, newDirectory, signal, uploadOf, writing } from './stage.js'
import { noAbort } from '../support/stages.js'

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
const corrupt = { code: 'ERR_INFO_CORRUPT' }

/** Returns the length in the record of a log, or the code of the error. */
function outcomeOf(log: Buffer): unknown {
  try {
    return followLog(log)?.upload.length
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

describe('FileInfoStore', () => {
  it('fills three slots and checks its options', async () => {
    const { store } = await newStore()
    const composer = new StoreComposer().use(store)
    expect(composer.slots()).toEqual({ infoStore: store, expiryIndex: store, infoLister: store })
    expect(() => new FileInfoStore({ direktory: '' } as never)).toThrow("did you mean 'directory'")
  })

  it('stores a record of any revision, for migrations', async () => {
    const { store } = await newStore()
    const upload = uploadOf('a', { revision: 7 })
    await store.create(upload, noAbort)
    expect((await store.get('a'))?.revision).toBe(7)
    await store.update(next(upload), noAbort)
    expect((await store.get('a'))?.revision).toBe(8)
  })

  it('accepts only the next revision, and writes nothing otherwise', async () => {
    const { store, directory } = await newStore()
    const upload = uploadOf('a')
    await expect(store.update(next(upload), noAbort)).rejects.toMatchObject(conflict)
    expect(await namesIn(directory)).toEqual([])
    await store.create(upload, noAbort)
    const before = await readFile(join(directory, '.a.info'))
    for (const revision of [0, 1, 3]) {
      await expect(store.update({ ...upload, revision }, noAbort)).rejects.toMatchObject(conflict)
    }
    expect(await readFile(join(directory, '.a.info'))).toEqual(before)
  })

  it('lets one of several concurrent calls succeed', async () => {
    const directory = await newDirectory()
    const stores = Array.from({ length: 8 }, () => new FileInfoStore({ directory }))
    const outcomes = async (calls: Promise<void>[]) =>
      (await Promise.allSettled(calls)).filter(({ status }) => status === 'fulfilled').length
    const upload = (length: number) => uploadOf('a', { length })
    expect(await outcomes(stores.map((store, i) => store.create(upload(i), noAbort)))).toBe(1)
    for (let revision = 2; revision < 10; revision++) {
      const calls = stores.map((store, i) => store.update({ ...upload(i), revision }, noAbort))
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
    await store.create(upload, noAbort)
    const { size } = await stat(path)
    await store.update(next(upload, { length: 2 }), noAbort)
    const whole = await readFile(path)
    for (const end of [size, size + 1, size + 9, size + 60, whole.length - 2, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, end))
      expect((await store.get('a'))?.revision).toBe(1)
      await store.update(next(upload, { length: 3 }), noAbort)
      expect(await store.get('a')).toMatchObject({ revision: 2, length: 3 })
      expect(await new FileInfoStore({ directory }).get('a')).toMatchObject({ length: 3 })
    }
  })

  it('continues after a line without an end and one that was cut off after it', async () => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    const upload = uploadOf('a', { length: 1 })
    await store.create(upload, noAbort)
    await store.update(next(upload, { length: 2 }), noAbort)
    await writeFile(path, (await readFile(path)).subarray(0, -1))
    await appendFile(path, '~')
    expect((await store.get('a'))?.revision).toBe(1)
    await store.update(next(upload, { length: 3 }), noAbort)
    expect(await new FileInfoStore({ directory }).get('a')).toMatchObject({ length: 3 })
  })

  it('ignores later lines of a revision', async () => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    const upload = uploadOf('a', { length: 1000 })
    await store.create(upload, noAbort)
    const first = await readFile(path, 'utf8')
    await appendFile(path, first)
    await store.update(next(upload, { length: 3000 }), noAbort)
    const second = (await readFile(path, 'utf8')).split('\n').at(-2)
    await store.update({ ...upload, revision: 3, length: 4000 }, noAbort)
    await appendFile(path, `${second}\n${first}`)
    expect(await new FileInfoStore({ directory }).get('a')).toMatchObject({ length: 4000 })
  })

  it('ends a line that was cut off during a write, even one that it did not see', async () => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    const upload = uploadOf('a', { length: 1 })
    await store.create(upload, noAbort)
    const cutOff = (await readFile(path)).subarray(0, 100)
    const { read } = OpenFile.prototype
    const seeing = vi.spyOn(OpenFile.prototype, 'read').mockImplementationOnce(async function (
      this: OpenFile,
      ...args
    ) {
      const bytesRead = await read.apply(this, args)
      await appendFile(path, cutOff)
      return bytesRead
    })
    await store.update(next(upload, { length: 2 }), noAbort)
    seeing.mockRestore()
    expect(await new FileInfoStore({ directory }).get('a')).toMatchObject({ length: 2 })
  })

  it('keeps characters that JSON does not escape, such as the line separators of Unicode', async () => {
    const { store, directory } = await newStore()
    const upload = uploadOf('a', { metadata: { raw: '', values: { name: 'a\u2028b\u2029c' } } })
    await store.create(upload, noAbort)
    expect((await new FileInfoStore({ directory }).get('a'))?.metadata.values).toEqual(
      upload.metadata.values,
    )
  })

  it('detects each flipped bit, unless it is in a line that does not count', async () => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    const upload = uploadOf('a', { length: 1 })
    await store.create(upload, noAbort)
    await store.update(next(upload, { length: 2 }), noAbort)
    const cutOff = (await readFile(path)).subarray(0, 150)
    await appendFile(path, cutOff)
    await store.update(next(next(upload), { length: 3 }), noAbort)
    // And the mark that ends everything before the last line.
    const lasting = (await stat(path)).size
    await appendFile(path, cutOff)
    const whole = await readFile(path)
    const wrong: string[] = []
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const changed = Buffer.from(whole)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const found = outcomeOf(changed)
      const fine = found === 3 || (found === 'ERR_INFO_CORRUPT' && bit >> 3 <= lasting)
      if (!fine) wrong.push(`bit ${bit}: ${found}`)
    }
    expect(wrong).toEqual([])
  })

  const damages: readonly [string, (line: string) => string][] = [
    ['a changed byte', (line) => line.replace('"length":2', '"length":3')],
    ['zeros instead', (line) => '\0'.repeat(line.length)],
    ['more data after it', (line) => `${line}garbage\n`],
    ['an empty line after it', (line) => `${line}\n`],
  ]

  it.each(damages)('never ignores a line with %s', async (_, damage) => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    const upload = uploadOf('a', { length: 1 })
    await store.create(upload, noAbort)
    const { size } = await stat(path)
    await store.update(next(upload, { length: 2 }), noAbort)
    const line = (await readFile(path, 'utf8')).slice(size)
    const third = next(next(upload))
    await store.update(third, noAbort)
    const whole = await readFile(path, 'utf8')
    const damaged = whole.replace(line, damage(line))
    await writeFile(path, damaged)
    for (const reader of [store, new FileInfoStore({ directory })]) {
      await expect(reader.get('a')).rejects.toMatchObject(corrupt)
      await expect(reader.update(next(third), noAbort)).rejects.toMatchObject(corrupt)
      await expect(reader.create(upload, noAbort)).rejects.toMatchObject(corrupt)
    }
    expect(await collect(store.expired(new Date(), { signal }))).toEqual(['a'])
    expect(await readFile(path, 'utf8')).toBe(damaged)
  })

  it('cannot read a record without a complete line, whose id is free', async () => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    await store.create(uploadOf('a', { length: 1 }), noAbort)
    const whole = await readFile(path)
    const left = [0, 1, 2, 3, 20, whole.length - 1].map((end) => whole.subarray(0, end))
    for (const content of [...left, Buffer.alloc(4096), Buffer.alloc(5000, 'a~\n')]) {
      await writeFile(path, content)
      await expect(store.get('a')).rejects.toMatchObject(corrupt)
      await expect(store.update(uploadOf('a', { revision: 2 }), noAbort)).rejects.toMatchObject(
        conflict,
      )
      expect(await collect(store.expired(new Date(), { signal }))).toEqual(['a'])
      expect(await collect(store.ids({ signal }))).toEqual(['a'])
      expect(await readFile(path)).toEqual(content)
      await store.create(uploadOf('a', { length: 2 }), noAbort)
      expect((await store.get('a'))?.length).toBe(2)
      expect(await collect(store.expired(new Date(), { signal }))).toEqual([])
    }
  })

  it('reads the logs of earlier versions, which have the whole record in each line', async () => {
    const { store, directory } = await newStore()
    const path = join(directory, '.a.info')
    const lines: string[] = []
    for (const revision of [1, 2]) {
      await store.create(uploadOf('a', { revision, length: revision }), noAbort)
      lines.push((await readFile(path, 'utf8')).split('\n')[1]!)
      await store.delete('a', noAbort)
    }
    await writeFile(path, `${lines[0]}\n${lines[1]!.slice(0, 100)}~\n${lines[1]}\n`)
    expect(await store.get('a')).toMatchObject({ revision: 2, length: 2 })
    await store.update(uploadOf('a', { revision: 3, length: 3 }), noAbort)
    expect(await new FileInfoStore({ directory }).get('a')).toMatchObject({ length: 3 })
  })

  it('writes the constant part once, however often the rest changes', async () => {
    const { store, directory } = await newStore()
    const raw = 'x'.repeat(50_000)
    const metadata = { raw, values: { name: raw } }
    let upload = uploadOf('a', { metadata, concat: { kind: 'partial', finals: [] } })
    await store.create(upload, noAbort)
    for (let i = 0; i < 200; i++) {
      const { expiresAt, ...rest } = upload
      upload = next(i % 2 === 0 ? { ...rest, expiresAt: '2026-03-04T05:06:07.000Z' } : rest, {
        concat: { kind: 'partial', finals: [`final-${i}`] },
      })
      await store.update(upload, noAbort)
    }
    expect((await stat(join(directory, '.a.info'))).size).toBeLessThan(150_000)
    for (const reader of [store, new FileInfoStore({ directory })]) {
      const found = await reader.get('a')
      expect(found).toEqual(upload)
      expect(found).not.toHaveProperty('expiresAt')
    }
  })

  it('distinguishes an unreadable record from a missing one', async () => {
    const { store, directory } = await newStore()
    await store.create(uploadOf('a'), noAbort)
    await rename(join(directory, '.a.info'), join(directory, '.A.info'))
    // As on a file system that ignores the case of names.
    expect(await store.get('A')).toBeUndefined()
    await rename(join(directory, '.A.info'), join(directory, '.b.info'))
    await expect(store.get('b')).rejects.toMatchObject(corrupt)
    await mkdir(join(directory, '.c.info'))
    await expect(store.get('c')).rejects.toMatchObject({
      code: 'ERR_STORAGE_UNAVAILABLE',
      cause: { code: 'EISDIR' },
    })
  })

  it('finds expired uploads next to unreadable records', async () => {
    const { store, directory } = await newStore()
    const { expiresAt } = { expiresAt: '2026-03-04T05:06:07.000Z' }
    for (const id of ['a', 'z']) await store.create(uploadOf(id, { expiresAt }), noAbort)
    await store.create(uploadOf('m'), noAbort)
    await mkdir(join(directory, '.b.info'))
    await symlink('.loop.info', join(directory, '.loop.info'))
    await writeFile(join(directory, '.n.info'), '')
    for (let round = 0; round < 2; round++) {
      const expired = await collect(store.expired(new Date(), { signal }))
      expect(expired.sort()).toEqual(['a', 'b', 'loop', 'n', 'z'])
    }
    expect(await collect(store.ids({ signal }))).toEqual(['a', 'b', 'loop', 'm', 'n', 'z'])
  })

  it('keeps more records than it holds in memory', async () => {
    const { store } = await newStore()
    for (let i = 0; i < 1100; i++) await store.create(uploadOf(`u${i}`, { length: i }), noAbort)
    for (let i = 0; i < 1100; i++) expect((await store.get(`u${i}`))?.length).toBe(i)
    for (let i = 0; i < 1100; i++) expect((await store.get(`u${i}`))?.length).toBe(i)
  })

  describe('keeps records in memory, and', () => {
    it('reads a record again after another instance has changed it', async () => {
      const { store, directory } = await newStore()
      const other = new FileInfoStore({ directory })
      const upload = uploadOf('a', { length: 1 })
      await store.create(upload, noAbort)
      for (let revision = 1; revision < 10; revision++) {
        const writer = revision % 2 === 0 ? store : other
        await writer.update({ ...upload, revision: revision + 1, length: revision }, noAbort)
        for (const reader of [store, other]) {
          expect(await reader.get('a')).toMatchObject({ revision: revision + 1, length: revision })
        }
      }
    })

    it('notices that another instance has removed, recreated or replaced a record', async () => {
      const { store, directory } = await newStore()
      const other = new FileInfoStore({ directory })
      await store.create(uploadOf('a', { length: 1 }), noAbort)
      await other.delete('a', noAbort)
      expect(await store.get('a')).toBeUndefined()
      await other.create(uploadOf('a', { length: 22 }), noAbort)
      expect((await store.get('a'))?.length).toBe(22)
      await writeFile(join(directory, 'new'), await readFile(join(directory, '.a.info')))
      await store.update(uploadOf('a', { revision: 2, length: 3 }), noAbort)
      await rename(join(directory, 'new'), join(directory, '.a.info'))
      expect(await store.get('a')).toMatchObject({ revision: 1, length: 22 })
    })

    it('keeps the stored record after a refused change', async () => {
      const { store } = await newStore()
      await store.create(uploadOf('a', { length: 1 }), noAbort)
      const again = store.create(uploadOf('a', { length: 2 }), noAbort)
      await expect(again).rejects.toMatchObject({ code: 'ERR_ID_TAKEN' })
      const late = store.update(uploadOf('a', { revision: 5, length: 5 }), noAbort)
      await expect(late).rejects.toMatchObject(conflict)
      expect(await store.get('a')).toMatchObject({ revision: 1, length: 1 })
    })

    it.each(['create', 'update'] as const)(
      'shares no object with the caller of %s',
      async (method) => {
        const { store } = await newStore()
        if (method === 'update') await store.create(uploadOf('a'), noAbort)
        const secret = { parts: [1] }
        const revision = method === 'update' ? 2 : 1
        const storage = { kind: 'parts', at: {}, secret }
        await store[method](uploadOf('a', { revision, storage }), noAbort)
        secret.parts.push(2)
        expect((await store.get('a'))?.storage.secret).toEqual({ parts: [1] })
      },
    )

    it.each(['create', 'update'] as const)(
      'returns the same after %s as an instance that reads the file',
      async (method) => {
        const { store, directory } = await newStore()
        if (method === 'update') await store.create(uploadOf('a'), noAbort)
        const revision = method === 'update' ? 2 : 1
        const metadata = { raw: 'name YQ==', values: { name: 'a' } }
        await store[method](uploadOf('a', { revision, metadata }), noAbort)
        const upload = await store.get('a')
        expect(upload).toStrictEqual(await new FileInfoStore({ directory }).get('a'))
        // A key like any other.
        expect(upload?.metadata.values.constructor).toBeUndefined()
      },
    )
  })

  it('has no name in common with data, for any id', async () => {
    const directory = await newDirectory()
    const data = new FileStore({ directory })
    const infos = new FileInfoStore({ directory })
    const ids = ['a', 'a.info', 'a.info.info', 'a.verified', 'a.verified.info', 'a.tmp', '~', '-']
    for (const id of ids) {
      const { storage, ...unplaced } = uploadOf(id)
      const upload = { ...unplaced, storage: data.locate(unplaced) }
      await infos.create(upload, noAbort)
      await data.create(upload, writing())
      const batch = { async *[Symbol.asyncIterator]() {}, size: 0, readable: () => never() }
      await data.appendVerified(upload, { offset: 0 }, batch, async () => true, writing())
    }
    expect(await collect(infos.ids({ signal }))).toEqual([...ids].sort())
    for (const id of ids) {
      expect((await infos.get(id))?.id).toBe(id)
      await data.terminate(uploadOf(id), writing())
      await infos.delete(id, noAbort)
    }
    expect(await namesIn(directory)).toEqual([])
  })

  it('refuses an invalid id', async () => {
    const { store } = await newStore()
    for (const id of ['../a', '', 'a/b', '.a']) {
      await expect(store.get(id)).rejects.toMatchObject({ code: 'ERR_INVALID_UPLOAD_ID' })
    }
  })

  it('lists ids in order, after a given one, and stops on request', async () => {
    const { store, directory } = await newStore()
    expect(await collect(store.ids({ signal }))).toEqual([])
    for (const id of ['b', 'B', 'a', 'a.b', '10', '9', '~', '_'])
      await store.create(uploadOf(id), noAbort)
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
