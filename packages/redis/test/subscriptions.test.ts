import { setImmediate } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { TcpProxy } from 'tuskit/store-kit'
import { RedisServer } from '../services.js'
import { connectionOf } from '../src/database/connection.js'

test('a subscription of ioredis that is closed while it reconnects ends without an error', async () => {
  const redis = await RedisServer.start()
  onTestFinished(() => redis.stop())
  const proxy = await TcpProxy.start({ port: redis.port })
  onTestFinished(() => proxy.close())
  const client = new Redis(proxy.port, { disconnectTimeout: 100 })
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  const failures: unknown[] = []
  const onFailure = (failure: unknown) => failures.push(failure)
  process.on('unhandledRejection', onFailure)
  onTestFinished(() => void process.off('unhandledRejection', onFailure))

  const subscriber = client.duplicate()
  const connection = connectionOf({
    evalsha: () => Promise.resolve(),
    eval: () => Promise.resolve(),
    duplicate: () => subscriber,
  })
  const subscription = connection.subscribe('news', { message: () => {}, subscribed: () => {} })
  await subscription.opened
  proxy.cut()
  const closed = new Promise<void>((resolve) => {
    subscriber.once('end', resolve)
    // By now, the client has sent its request, which gets no response.
    subscriber.once('ready', () => {
      proxy.stall()
      subscription.close()
    })
  })
  await proxy.restore()
  await closed
  await setImmediate()
  expect(failures).toEqual([])
})
