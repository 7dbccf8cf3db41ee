import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { RedisLocker, type RedisClient } from '@tuskit/redis'
import { noAbort } from '../../../test/support/records.js'
import { until } from '../../../test/support/serve.js'
import { RedisServer } from '../services.js'
import { clients } from './clients.js'

let redis: RedisServer

beforeAll(async () => {
  redis = await RedisServer.start()
})
afterAll(() => redis.stop())
beforeEach(async () => void (await redis.command('FLUSHALL')))

/** Opens a locker, as a process of its own would. */
async function openLocker(client: RedisClient): Promise<RedisLocker> {
  // So long that only messages can be what wakes somebody.
  const locker = new RedisLocker({ client, lease: 60_000, pollInterval: 60_000 })
  await locker.open()
  onTestFinished(() => locker.close())
  return locker
}

/** Returns how often Redis has run a command since the last reset. */
async function count(command: string): Promise<number> {
  const [, calls] =
    new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(
      await redis.command('INFO', 'commandstats'),
    ) ?? []
  return Number(calls ?? 0)
}

const waiters = async () => {
  const keys = (await redis.command('KEYS', 'tuskit:*waiters:*')).split('\n').filter(Boolean)
  return keys.length === 0 ? 0 : Number(await redis.command('ZCARD', keys[0]!))
}

describe.each(clients)('with a client of $name', ({ connect }) => {
  test('those that wait in several processes get the lock in order, without polling', async () => {
    const order: number[] = []
    const lockers = await Promise.all(
      Array.from({ length: 4 }, async () => openLocker(await connect(redis))),
    )
    let ask = () => {}
    const asked = new Promise<void>((resolve) => (ask = resolve))
    const requestRelease = () => (ask(), true)
    const holder = await lockers[0]!.acquire('a', { ...noAbort, requestRelease })
    const waiting: Promise<void>[] = []
    for (const [index, locker] of lockers.slice(1).entries()) {
      const acquire = async () => {
        const lock = await locker.acquire('a', { ...noAbort, requestRelease: () => true })
        order.push(index)
        await lock.release()
      }
      waiting.push(acquire())
      await until(waiters, (count) => count > index)
    }
    await asked
    await holder.release()
    await Promise.all(waiting)
    expect(order).toEqual([0, 1, 2])
  })

  test('a process that died while it waited does not keep the lock from others', async () => {
    const [one, two] = [
      await openLocker(await connect(redis)),
      await openLocker(await connect(redis)),
    ]
    const requestRelease = () => true
    const holder = await one.acquire('a', { ...noAbort, requestRelease })
    const next = two.acquire('a', { ...noAbort, requestRelease })
    await until(waiters, (count) => count === 1)
    const [key] = (await redis.command('KEYS', 'tuskit:*waiters:*')).split('\n')
    await redis.command('ZADD', key!, '1', 'dead')
    await holder.release()
    await (await next).release()
  })

  test('a lock that nobody else wants costs two calls, and no message', async () => {
    const locker = await openLocker(await connect(redis))
    const take = async () => {
      const lock = await locker.acquire('a', { ...noAbort, requestRelease: () => true })
      await lock.release()
    }
    await take()
    await redis.command('CONFIG', 'RESETSTAT')
    await take()
    expect(await count('evalsha')).toBe(2)
    expect(await count('publish')).toBe(0)
  })

  test('tokens grow when Redis has forgotten the lock, and its keys expire', async () => {
    const locker = await openLocker(await connect(redis))
    const take = async () => {
      const lock = await locker.acquire('a', { ...noAbort, requestRelease: () => true })
      await lock.release()
      return lock.token
    }
    const first = await take()
    const [key] = (await redis.command('KEYS', '*')).split('\n')
    expect(Number(await redis.command('PTTL', key!))).toBeGreaterThan(0)
    await redis.command('FLUSHALL')
    expect(await take()).toBeGreaterThan(first)
  })
})
