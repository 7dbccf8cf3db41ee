import { describe, expect, it } from 'vitest'
import { StoreComposer, type Upload } from 'tuskit'
import { MemoryInfoStore } from 'tuskit/memory-store'
import { noAbort } from '../support/stages.js'

function uploadOf(id: string, fields: Partial<Upload> = {}): Upload {
  return {
    id,
    revision: 1,
    protocol: 'tus',
    length: 5,
    metadata: { raw: 'name YQ==', values: { name: 'a' } },
    storage: { kind: 'memory', at: { key: id } },
    createdAt: '2026-01-01T00:00:00.000Z',
    finish: 'implied',
    state: { kind: 'open' },
    ...fields,
  }
}

describe('MemoryInfoStore', () => {
  it('fills three slots', () => {
    const composer = new StoreComposer()
    const store = new MemoryInfoStore()
    store.useIn(composer)
    expect(composer.slots()).toEqual({ infoStore: store, expiryIndex: store, infoLister: store })
  })

  it('returns what was stored, never the same object', async () => {
    const store = new MemoryInfoStore()
    const upload = uploadOf('a')
    await store.create(upload, noAbort)
    const [one, two] = [await store.get('a'), await store.get('a')]
    expect(one).toEqual(upload)
    expect(one).not.toBe(upload)
    expect(one).not.toBe(two)
    expect(await store.get('b')).toBeUndefined()
  })

  it('lists in turns of the event loop, for each caller', async () => {
    const store = new MemoryInfoStore()
    for (let i = 0; i < 50; i++) await store.create(uploadOf(`u${i}`), noAbort)
    let turns = 0
    const count = () => {
      turns++
      next = setImmediate(count)
    }
    let next = setImmediate(count)
    for await (const id of store.ids(noAbort)) {
      expect(id).toMatch(/^u/)
      for (const end = performance.now() + 1; performance.now() < end;);
    }
    clearImmediate(next)
    expect(turns).toBeGreaterThan(1)
  })

  it('stops listing when the signal aborts', async () => {
    const store = new MemoryInfoStore()
    await store.create(uploadOf('a'), noAbort)
    await store.create(uploadOf('b'), noAbort)
    const controller = new AbortController()
    const ids = store.ids({ signal: controller.signal })
    expect((await ids.next()).value).toBe('a')
    controller.abort(new Error('enough'))
    await expect(ids.next()).rejects.toThrow('enough')
  })
})
