import { describe, expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { LimitedStore } from 'tuskit/limited-store'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { uploadOf } from '../file-store/stage.js'
import { serve } from '../support/serve.js'
import { noAbort } from '../support/stages.js'

const records = 500

/**
 * Milliseconds of each `get` of the slow store. A few dozen of them fill a turn of the event loop.
 */
const slow = 0.2

/**
 * A fake that reads each record in the event loop, in a time that does not depend on the machine.
 */
class SlowInfoStore extends MemoryInfoStore {
  #turns = 0
  #lastTurn = -1
  #reads = 0
  /** The maximum number of records that were read in one turn of the event loop. */
  most = 0

  override async get(...args: Parameters<MemoryInfoStore['get']>) {
    const end = performance.now() + slow
    if (this.#lastTurn !== this.#turns) {
      this.#lastTurn = this.#turns
      this.#reads = 0
      setImmediate(() => this.#turns++)
    }
    this.most = Math.max(this.most, ++this.#reads)
    while (performance.now() < end);
    return super.get(...args)
  }
}

async function filled() {
  const infoStore = new SlowInfoStore()
  const store = new MemoryStore()
  const expiresAt = '2026-03-04T05:06:07.000Z'
  for (let i = 0; i < records; i++) {
    const upload = uploadOf(`u${i}`, { length: 5, expiresAt, finish: 'recorded' })
    await infoStore.create({ ...upload, storage: store.locate(upload) }, noAbort)
  }
  infoStore.most = 0
  return { store, infoStore }
}

describe('other requests are served during', () => {
  test.each(['removeExpired', 'finishPending'] as const)('uploads.%s', async (method) => {
    const { store, infoStore } = await filled()
    const composer = new StoreComposer().use(store, infoStore)
    const { handler } = await serve({ composer, expiration: { after: 3_600_000 } })
    await handler.uploads[method]()
    expect(infoStore.most).toBeGreaterThan(0)
    expect(infoStore.most).toBeLessThan(records / 4)
  })

  test('the count of LimitedStore', async () => {
    const { store, infoStore } = await filled()
    await new LimitedStore({ limit: 1, store, infoStore }).count()
    expect(infoStore.most).toBeGreaterThan(0)
    expect(infoStore.most).toBeLessThan(records / 4)
  })

  test('the search of a store for expired uploads', async () => {
    const { infoStore } = await filled()
    const expired = infoStore.expired(new Date(0), { signal: new AbortController().signal })
    for await (const id of expired) expect(id).toBeUndefined()
    expect(infoStore.most).toBeGreaterThan(0)
    expect(infoStore.most).toBeLessThan(records / 4)
  })
})
