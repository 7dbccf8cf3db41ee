import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Upload, metadataOf } from 'tuskit'
import { TcpProxy } from 'tuskit/store-kit'
import { RedisInfoStore, RedisLocker } from '@tuskit/redis'
import { RedisServer, type RedisSettings } from '../services.js'
import { clients } from './clients.js'

const always = { signal: new AbortController().signal }

function recordAt(revision: number, id = 'a'): Upload {
  return {
    id,
    revision,
    protocol: 'tus',
    metadata: metadataOf({}),
    storage: { kind: 'file', at: {} },
    createdAt: '2026-01-02T03:04:05.678Z',
    finish: 'implied',
    state: { kind: 'open' },
  }
}

async function start(settings: RedisSettings = {}): Promise<RedisServer> {
  const redis = await RedisServer.start(settings)
  onTestFinished(() => redis.stop())
  return redis
}

describe.each(clients)('with a client of $name', ({ name, connect }) => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis.stop())

  test('a change whose call has failed does not happen later', async () => {
    const client = await connect(redis)
    const store = new RedisInfoStore({ client, timeout: 500 })
    await store.create(recordAt(1), always)
    await redis.pause()
    const abort = new AbortController()
    const failed = [
      store.update(recordAt(2), always),
      store.create(recordAt(1, 'b'), always),
      store.delete('a', { signal: abort.signal }),
    ].map((call) => call.catch((error: unknown) => error))
    abort.abort(new Error('no longer needed'))
    expect(await Promise.all(failed)).toMatchObject([
      { code: 'ERR_STORAGE_UNAVAILABLE' },
      { code: 'ERR_STORAGE_UNAVAILABLE' },
      { message: 'no longer needed' },
    ])
    redis.resume()
    // The server runs it after the changes, which it got before.
    expect(await store.get('b', always)).toBeUndefined()
    expect(await store.get('a', always)).toEqual(recordAt(1))
  })

  test('a change does not happen after its call has failed with the connection', async () => {
    const proxy = await TcpProxy.start({ port: redis.port })
    onTestFinished(() => proxy.close())
    const client = await connect({ port: proxy.port } as RedisServer)
    const store = new RedisInfoStore({ client, timeout: 500 })
    await store.create(recordAt(1, 'd'), always)
    await redis.pause()
    const updating = store.update(recordAt(2, 'd'), always)
    // Until the server has it, which reads it later.
    await sleep(100)
    proxy.cut('end')
    const failure = await updating.catch((error: unknown) => error)
    redis.resume()
    expect(failure).toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
    const other = new RedisInfoStore({ client: await connect(redis) })
    expect(await other.get('d', always)).toEqual(recordAt(1, 'd'))
  })

  test('a change whose response was lost is known as such when the client sends it again', async () => {
    const proxy = await TcpProxy.start({ port: redis.port })
    onTestFinished(() => proxy.close())
    const store = new RedisInfoStore({ client: await connect({ port: proxy.port } as RedisServer) })
    await store.create(recordAt(1, 'c'), always)
    await store.update(recordAt(2, 'c'), always)
    const cut = proxy.cutAfter(1, 'downstream', 'end')
    const updating = store.update(recordAt(3, 'c'), always).then(
      () => 'updated',
      (error: { readonly code: string }) => error.code,
    )
    await cut
    await proxy.restore()
    // The package redis rejects, and leaves it to the caller to try again.
    expect(await updating).toBe(name === 'redis' ? 'ERR_STORAGE_UNAVAILABLE' : 'updated')
    const other = new RedisInfoStore({ client: await connect(redis) })
    expect(await other.get('c', always)).toEqual(recordAt(3, 'c'))
  })

  test('a full server is ERR_STORAGE_FULL, and records can be deleted then', async () => {
    const full = await start({ maxmemory: '3mb', save: '', appendonly: 'no' })
    const store = new RedisInfoStore({ client: await connect(full) })
    await store.open()
    await store.create(recordAt(1), always)
    await full.command('CONFIG', 'SET', 'maxmemory', '1')
    await expect(store.update(recordAt(2), always)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_STORAGE_FULL' }) as Error,
    )
    await expect(store.create(recordAt(1, 'b'), always)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_STORAGE_FULL' }) as Error,
    )
    expect(await store.get('a', always)).toEqual(recordAt(1))
    await store.delete('a', always)
    expect(await store.get('a', always)).toBeUndefined()
    expect(await full.command('DBSIZE')).toBe('0')
  })

  test('a server that deletes keys when it is full is refused', async () => {
    const evicting = await start({ maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' })
    const client = await connect(evicting)
    const policy = (name: string) => evicting.command('CONFIG', 'SET', 'maxmemory-policy', name)
    const [store, locker] = [new RedisInfoStore({ client }), new RedisLocker({ client })]
    await expect(store.open()).rejects.toThrow(/^RedisInfoStore needs .* 'allkeys-lru' /)
    await expect(locker.open()).rejects.toThrow(/^RedisLocker needs .* 'allkeys-lru' /)
    // Records have no time to live, and locks do.
    await policy('volatile-lru')
    await expect(store.open()).resolves.toBeUndefined()
    await expect(locker.open()).rejects.toThrow(/^RedisLocker needs .* 'volatile-lru' /)
    await policy('noeviction')
    await expect(locker.open()).resolves.toBeUndefined()
    await locker.close()
  })
})
