import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { StoreComposer, type AppendOptions, type Upload, type UploadBody } from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'

const { signal } = new AbortController()

function uploadOf(id: string): Upload {
  return {
    id,
    revision: 1,
    protocol: 'tus',
    metadata: { raw: '', values: {} },
    storage: { kind: 'memory', at: { key: id } },
    createdAt: '2026-01-01T00:00:00.000Z',
    finish: 'implied',
    state: { kind: 'open' },
  }
}

/** Options of an operation under a lock, and the offsets that it announced. */
function writing(fields: Partial<AppendOptions> = {}, token = 1) {
  const announced: number[] = []
  return {
    signal,
    fence: { token, forced: false, held: () => true, shutOut: () => {} },
    saveSecret: async () => {},
    progress: (offset: number) => announced.push(offset),
    incoming: 'some' as const,
    announced,
    ...fields,
  }
}

function bodyOf(batches: Iterable<Buffer[]> | AsyncIterable<Buffer[]>): UploadBody {
  return {
    size: undefined,
    async *[Symbol.asyncIterator]() {
      yield* batches
    },
    readable: () => Readable.from(batches),
  }
}

const text = (...chunks: string[]) => bodyOf([chunks.map((chunk) => Buffer.from(chunk))])

async function stored(store: MemoryStore, upload: Upload): Promise<string> {
  return (await buffer(await store.read(upload, undefined, { signal }))).toString()
}

async function created(id: string, content = '') {
  const store = new MemoryStore()
  const upload = uploadOf(id)
  await store.create(upload, writing())
  await store.append(upload, { offset: 0 }, text(content), writing())
  return { store, upload }
}

describe('MemoryStore', () => {
  it('fills five slots and checks its options', () => {
    const composer = new StoreComposer()
    const store = new MemoryStore({ maximumSize: 100 })
    store.useIn(composer)
    expect(composer.slots()).toEqual({
      dataStore: store,
      verifiedAppender: store,
      terminator: store,
      concatenator: store,
      contentReader: store,
    })
    expect(store.maximumSize).toBe(100)
    expect(new MemoryStore().maximumSize).toBe(Infinity)
    expect(() => new MemoryStore({ maximumSize: -1 })).toThrow(/maximumSize.*-1/)
    expect(() => new MemoryStore({ maxSize: 1 } as object)).toThrow(/maxSize.*maximumSize/)
  })

  it('places data by id, or by the key that is asked for', () => {
    const store = new MemoryStore()
    expect(store.locate(uploadOf('a'))).toEqual({ kind: 'memory', at: { key: 'a' } })
    const placed = store.locate({ ...uploadOf('a'), place: { key: 'x/y' } })
    expect(placed.at).toEqual({ key: 'x/y' })
    expect(() => store.locate({ ...uploadOf('a'), place: { path: 'x' } })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_PLACE' }),
    )
  })

  it('has 0 bytes after creation, and is created once', async () => {
    const store = new MemoryStore()
    const upload = uploadOf('a')
    const missing = { code: 'ERR_DATA_MISSING' }
    await expect(store.stat(upload, { signal })).rejects.toMatchObject(missing)
    await expect(store.read(upload, undefined, { signal })).rejects.toMatchObject(missing)
    await store.create(upload, writing())
    expect(await store.stat(upload, { signal })).toEqual({ offset: 0 })
    expect(await stored(store, upload)).toBe('')
    await expect(store.create(upload, writing())).rejects.toMatchObject({ code: 'ERR_DATA_EXISTS' })
  })

  it('shows in stat what progress announced, while the append runs', async () => {
    const { store, upload } = await created('a')
    const seen: number[] = []
    const body = bodyOf(
      (async function* () {
        yield [Buffer.from('ab'), Buffer.from('c')]
        seen.push((await store.stat(upload, { signal })).offset)
        yield [Buffer.from('de')]
        seen.push((await store.stat(upload, { signal })).offset)
      })(),
    )
    const options = writing()
    expect(await store.append(upload, { offset: 0 }, body, options)).toEqual({ offset: 5 })
    expect(options.announced).toEqual([3, 5])
    expect(seen).toEqual([3, 5])
    const next = await store.append(upload, { offset: 5 }, text('fg'), writing())
    expect(next).toEqual({ offset: 7 })
    expect(await stored(store, upload)).toBe('abcdefg')
  })

  it('keeps its own copy of the bytes', async () => {
    const { store, upload } = await created('a')
    const chunk = Buffer.from('abc')
    await store.append(upload, { offset: 0 }, bodyOf([[chunk]]), writing())
    chunk.fill(0)
    expect(await stored(store, upload)).toBe('abc')
  })

  it('hides a chunk until it is accepted', async () => {
    const { store, upload } = await created('a', 'abc')
    const options = writing()
    const accept = async () => {
      expect(await store.stat(upload, { signal })).toEqual({ offset: 3 })
      expect(await stored(store, upload)).toBe('abc')
      expect(options.announced).toEqual([])
      return true
    }
    const stat = await store.appendVerified(upload, { offset: 3 }, text('d', 'e'), accept, options)
    expect(stat).toEqual({ offset: 5 })
    expect(options.announced).toEqual([5])
    expect(await stored(store, upload)).toBe('abcde')
  })

  it('discards a chunk that is not accepted', async () => {
    const { store, upload } = await created('a', 'abc')
    const refuse = async () => false
    const options = writing()
    const stat = await store.appendVerified(upload, { offset: 3 }, text('de'), refuse, options)
    expect(stat).toEqual({ offset: 3 })
    expect(options.announced).toEqual([])
    expect(await stored(store, upload)).toBe('abc')
  })

  it('reads ranges across chunks', async () => {
    const { store, upload } = await created('a', 'abc')
    await store.append(upload, { offset: 3 }, text('def'), writing())
    await store.append(upload, { offset: 6 }, text('ghi'), writing())
    for (const [start, end] of [
      [0, 0],
      [2, 3],
      [1, 7],
      [3, 5],
      [8, 8],
      [0, 8],
    ] as const) {
      const read = await buffer(await store.read(upload, { start, end }, { signal }))
      expect(read.toString()).toBe('abcdefghi'.slice(start, end + 1))
    }
  })

  it('concatenates, again and again from zero', async () => {
    const { store, upload: one } = await created('one', 'abc')
    const [two, final] = [uploadOf('two'), uploadOf('final')]
    await store.create(two, writing())
    await store.append(two, { offset: 0 }, text('de'), writing())
    await store.create(final, writing())
    for (let round = 0; round < 2; round++) {
      await store.concatenate(final, [two, one, two], writing())
      expect(await stored(store, final)).toBe('deabcde')
      expect(await store.stat(final, { signal })).toEqual({ offset: 7 })
    }
    expect(await stored(store, one)).toBe('abc')
    await expect(
      store.concatenate(final, [one, uploadOf('none')], writing()),
    ).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' })
    expect(await stored(store, final)).toBe('deabcde')
  })

  it('terminates, and takes absence for success', async () => {
    const { store, upload } = await created('a', 'abc')
    await store.terminate(upload, writing())
    await store.terminate(upload, writing())
    await expect(store.stat(upload, { signal })).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' })
  })

  it('changes nothing without the lock', async () => {
    const { store, upload } = await created('a', 'abc')
    await store.append(upload, { offset: 3 }, text('d'), writing({}, 2))
    const lost = { code: 'ERR_LOCK_LOST' }
    const notHeld = writing({
      fence: { token: 3, forced: false, held: () => false, shutOut: () => {} },
    })
    for (const options of [notHeld, writing({}, 1)]) {
      const append = store.append(upload, { offset: 4 }, text('e'), options)
      await expect(append).rejects.toMatchObject(lost)
      const accept = async () => true
      const verified = store.appendVerified(upload, { offset: 4 }, text('e'), accept, options)
      await expect(verified).rejects.toMatchObject(lost)
      await expect(store.terminate(upload, options)).rejects.toMatchObject(lost)
      await expect(store.concatenate(upload, [], options)).rejects.toMatchObject(lost)
    }
    expect(await stored(store, upload)).toBe('abcd')
  })

  it('stops when the signal aborts, even while it waits for the body', async () => {
    const { store, upload } = await created('a', 'abc')
    const controller = new AbortController()
    let resume!: () => void
    const paused = new Promise<void>((resolve) => (resume = resolve))
    const body = bodyOf(
      (async function* () {
        yield [Buffer.from('d')]
        await paused
        yield [Buffer.from('e')]
      })(),
    )
    const options = writing({
      signal: controller.signal,
      progress: () => controller.abort(new Error('enough')),
    })
    await expect(store.append(upload, { offset: 3 }, body, options)).rejects.toThrow('enough')
    resume()
    expect(await stored(store, upload)).toBe('abcd')
  })
})
