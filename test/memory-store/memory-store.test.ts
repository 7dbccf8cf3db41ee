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

/** Options of an operation under a lock, and the offsets that it reported. */
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
    const store = new MemoryStore({ maxSize: 100 })
    store.useIn(composer)
    expect(composer.slots()).toEqual({
      dataStore: store,
      verifiedAppender: store,
      terminator: store,
      concatenator: store,
      contentReader: store,
    })
    expect(store.maxSize).toBe(100)
    expect(new MemoryStore().maxSize).toBe(Infinity)
    expect(new MemoryStore({ maxSize: Infinity }).maxSize).toBe(Infinity)
    expect(() => new MemoryStore({ maxSize: -1 })).toThrow(/maxSize.*-1/)
    expect(() => new MemoryStore({ maximumSize: 1 } as object)).toThrow(/maximumSize.*maxSize/)
  })

  it('places data by id, or by the requested key', () => {
    const store = new MemoryStore()
    expect(store.locate(uploadOf('a'))).toEqual({ kind: 'memory', at: { key: 'a' } })
    const placed = store.locate({ ...uploadOf('a'), place: { key: 'x/y' } })
    expect(placed.at).toEqual({ key: 'x/y' })
    expect(() => store.locate({ ...uploadOf('a'), place: { path: 'x' } })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_PLACE' }),
    )
  })

  it('keeps its own copy of the bytes', async () => {
    const { store, upload } = await created('a')
    const chunk = Buffer.from('abc')
    await store.append(upload, { offset: 0 }, bodyOf([[chunk]]), writing())
    chunk.fill(0)
    expect(await stored(store, upload)).toBe('abc')
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
