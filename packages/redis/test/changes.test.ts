import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { TcpProxy } from 'tuskit/store-kit'
import { RedisInfoStore, RedisLocker } from '@tuskit/redis'
import { noAbort, recordOf } from '../../../test/support/records.js'
import { until } from '../../../test/support/serve.js'
import { RedisServer, type RedisSettings } from '../services.js'
import { clients } from './clients.js'

const recordAt = (revision: number, id = 'a') => recordOf(id, { revision })

async function start(settings: RedisSettings = {}): Promise<RedisServer> {
  const redis = await RedisServer.start(settings)
  onTestFinished(() => redis.stop())
  return redis
}

/** Returns whether bytes have arrived at a server that it has not read. */
async function hasUnread({ port }: RedisServer): Promise<boolean> {
  const address = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return (await readFile('/proc/net/tcp', 'utf8')).split('\n').some((line) => {
    const [, local = '', , state, queues = ''] = line.trim().split(/\s+/)
    return local.endsWith(address) && state === '01' && !queues.endsWith(':00000000')
  })
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
    await store.create(recordAt(1), noAbort)
    await redis.pause()
    const abort = new AbortController()
    const failed = [
      store.update(recordAt(2), noAbort),
      store.create(recordAt(1, 'b'), noAbort),
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
    expect(await store.get('b', noAbort)).toBeUndefined()
    expect(await store.get('a', noAbort)).toEqual(recordAt(1))
  })

  test('a change does not happen after its call has failed with the connection', async () => {
    const proxy = await TcpProxy.start({ port: redis.port })
    onTestFinished(() => proxy.close())
    const client = await connect({ port: proxy.port } as RedisServer)
    const store = new RedisInfoStore({ client, timeout: 500 })
    await store.create(recordAt(1, 'd'), noAbort)
    await redis.pause()
    const updating = store.update(recordAt(2, 'd'), noAbort)
    // The server reads it later.
    await until(() => hasUnread(redis), Boolean)
    proxy.cut('end')
    const failure = await updating.catch((error: unknown) => error)
    redis.resume()
    expect(failure).toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
    const other = new RedisInfoStore({ client: await connect(redis) })
    expect(await other.get('d', noAbort)).toEqual(recordAt(1, 'd'))
  })

  test('a change whose response was lost is known as such when the client sends it again', async () => {
    const proxy = await TcpProxy.start({ port: redis.port })
    onTestFinished(() => proxy.close())
    const store = new RedisInfoStore({ client: await connect({ port: proxy.port } as RedisServer) })
    await store.create(recordAt(1, 'c'), noAbort)
    await store.update(recordAt(2, 'c'), noAbort)
    const cut = proxy.cutAfter(1, 'downstream', 'end')
    const updating = store.update(recordAt(3, 'c'), noAbort).then(
      () => 'updated',
      (error: { readonly code: string }) => error.code,
    )
    await cut
    await proxy.restore()
    // The package redis rejects, and leaves it to the caller to try again.
    expect(await updating).toBe(name === 'redis' ? 'ERR_STORAGE_UNAVAILABLE' : 'updated')
    const other = new RedisInfoStore({ client: await connect(redis) })
    expect(await other.get('c', noAbort)).toEqual(recordAt(3, 'c'))
  })

  test('a full server is ERR_STORAGE_FULL, and records can be deleted then', async () => {
    const full = await start({ maxmemory: '3mb', save: '', appendonly: 'no' })
    const store = new RedisInfoStore({ client: await connect(full) })
    await store.open()
    await store.create(recordAt(1), noAbort)
    await full.command('CONFIG', 'SET', 'maxmemory', '1')
    await expect(store.update(recordAt(2), noAbort)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_STORAGE_FULL' }) as Error,
    )
    await expect(store.create(recordAt(1, 'b'), noAbort)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_STORAGE_FULL' }) as Error,
    )
    expect(await store.get('a', noAbort)).toEqual(recordAt(1))
    await store.delete('a', noAbort)
    expect(await store.get('a', noAbort)).toBeUndefined()
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
