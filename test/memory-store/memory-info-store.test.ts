import { describe, expect, it } from 'vitest'
import { StoreComposer, type Upload } from 'tuskit'
import { MemoryInfoStore } from 'tuskit/memory-store'

const { signal } = new AbortController()

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

async function collect(ids: AsyncIterable<string>): Promise<string[]> {
  const collected: string[] = []
  for await (const id of ids) collected.push(id)
  return collected
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
    await store.create(upload)
    const [one, two] = [await store.get('a'), await store.get('a')]
    expect(one).toEqual(upload)
    expect(one).not.toBe(upload)
    expect(one).not.toBe(two)
    expect(await store.get('b')).toBeUndefined()
  })

  it('refuses an id that is taken', async () => {
    const store = new MemoryInfoStore()
    await store.create(uploadOf('a'))
    await expect(store.create(uploadOf('a'))).rejects.toMatchObject({ code: 'ERR_ID_TAKEN' })
  })

  it('takes the next revision only, and from one of several callers', async () => {
    const store = new MemoryInfoStore()
    const conflict = { code: 'ERR_INFO_CONFLICT' }
    await expect(store.update(uploadOf('a', { revision: 2 }))).rejects.toMatchObject(conflict)
    await store.create(uploadOf('a'))
    for (const revision of [0, 1, 3]) {
      await expect(store.update(uploadOf('a', { revision }))).rejects.toMatchObject(conflict)
    }
    const attempts = [10, 20, 30].map((length) =>
      store.update(uploadOf('a', { revision: 2, length })),
    )
    const results = await Promise.allSettled(attempts)
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const winner = results.findIndex(({ status }) => status === 'fulfilled')
    expect(await store.get('a')).toMatchObject({ revision: 2, length: [10, 20, 30][winner] })
  })

  it('deletes, and takes absence for success', async () => {
    const store = new MemoryInfoStore()
    await store.create(uploadOf('a'))
    await store.delete('a')
    await store.delete('a')
    expect(await store.get('a')).toBeUndefined()
  })

  it('lists ids in order, from one on', async () => {
    const store = new MemoryInfoStore()
    for (const id of ['b', 'a~', 'a', 'B', 'c']) await store.create(uploadOf(id))
    expect(await collect(store.ids({ signal }))).toEqual(['B', 'a', 'a~', 'b', 'c'])
    expect(await collect(store.ids({ after: 'a', signal }))).toEqual(['a~', 'b', 'c'])
  })

  it('finds what has expired', async () => {
    const store = new MemoryInfoStore()
    const expiresAt = '2026-01-02T00:00:00.000Z'
    await store.create(uploadOf('past', { expiresAt: '2026-01-01T12:00:00.000Z' }))
    await store.create(uploadOf('now', { expiresAt }))
    await store.create(uploadOf('future', { expiresAt: '2026-01-02T00:00:00.001Z' }))
    await store.create(uploadOf('never'))
    const expired = await collect(store.expired(new Date(expiresAt), { signal }))
    expect(expired.sort()).toEqual(['now', 'past'])
  })

  it('stops listing when the signal aborts', async () => {
    const store = new MemoryInfoStore()
    await store.create(uploadOf('a'))
    await store.create(uploadOf('b'))
    const controller = new AbortController()
    const ids = store.ids({ signal: controller.signal })
    expect((await ids.next()).value).toBe('a')
    controller.abort(new Error('enough'))
    await expect(ids.next()).rejects.toThrow('enough')
  })
})
