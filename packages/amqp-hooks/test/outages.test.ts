import { connect } from 'amqplib'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { isTusError } from 'tuskit'
import { TcpProxy } from 'tuskit/store-kit'
import { AmqpHooks } from '@tuskit/amqp-hooks'
import { until } from '../../../test/support/serve.js'
import { RabbitMq } from '../services.js'
import { always, callOf, openHooks } from './calls.js'
import { consume } from './consumer.js'

let broker: RabbitMq

beforeAll(async () => {
  broker = await RabbitMq.start()
})
afterAll(() => broker.stop())

/** Calls the hooks until the broker has the message, as an outbox does. Returns the errors. */
async function deliver(hooks: AmqpHooks, id: string): Promise<readonly string[]> {
  const codes: string[] = []
  for (;;) {
    try {
      await hooks.call(callOf(id), always())
      return codes
    } catch (error) {
      if (!isTusError(error)) throw error
      codes.push(error.code)
    }
  }
}

/** Returns the ids of the uploads in a queue, each once. */
async function idsIn(url: string, queue: string, last: string): Promise<readonly string[]> {
  const received = await consume(url, queue)
  const ids = () => received.map(({ properties }) => String(properties['messageId']).split('/')[0]!)
  await until(
    async () => ids(),
    (seen) => seen.includes(last),
  )
  return [...new Set(ids())]
}

/** Puts a proxy before the broker, which the end of the test closes. */
async function proxied(host: string) {
  const proxy = await TcpProxy.start({ port: broker.port })
  onTestFinished(() => proxy.close())
  return { proxy, url: host.replace(`:${broker.port}`, `:${proxy.port}`) }
}

test('no confirmed message is lost when the broker is killed and restarted', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({
    connect: () => connect(url),
    queues: [{ name: 'uploads' }],
    timeout: 1_000,
  })
  const ids = Array.from({ length: 300 }, (_, i) => `upload-${i}`)
  const failures: string[] = []
  let restarted: Promise<void> | undefined
  for (const id of ids) {
    // It is killed while messages are on the way.
    if (id === 'upload-100') restarted = broker.restart()
    failures.push(...(await deliver(hooks, id)))
  }
  await restarted
  expect(failures).toContain('ERR_HOOK_UNAVAILABLE')
  expect(failures.filter((code) => !/^ERR_HOOK_(UNAVAILABLE|TIMEOUT)$/.test(code))).toEqual([])
  expect(await idsIn(url, 'uploads', ids.at(-1)!)).toEqual(ids)
})

test('all that does not survive a restart is declared again, without a call', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({
    connect: () => connect(url),
    exchange: { name: 'fleeting', durable: false },
    queues: [{ name: 'fleeting', durable: false }],
  })
  await broker.restart()
  await until(
    () => broker.control('list_bindings', '-p', new URL(url).pathname.slice(1), 'source_name'),
    (text) => text.includes('fleeting'),
  )
  await hooks.call(callOf('a'), always())
  expect(await idsIn(url, 'fleeting', 'a')).toEqual(['a'])
})

test('a call during a short outage succeeds when it is over', async () => {
  const host = await broker.createHost()
  const { proxy, url } = await proxied(host)
  const hooks = await openHooks({
    connect: () => connect(url),
    queues: [{ name: 'uploads' }],
    timeout: 60_000,
  })
  // The message is on the way, and its confirm never comes.
  proxy.stall()
  const called = hooks.call(callOf('a'), always())
  proxy.cut()
  await proxy.restore()
  await called
  expect(await idsIn(host, 'uploads', 'a')).toEqual(['a'])
})

test('a broker that is low on memory: calls time out, and are not kept in memory', async () => {
  const url = await broker.createHost()
  const connections: { readonly blocked: Promise<unknown> }[] = []
  const hooks = await openHooks({
    connect: async () => {
      const connection = await connect(url)
      const blocked = new Promise((resolve) => connection.on('blocked', resolve))
      connections.push({ blocked })
      return connection
    },
    queues: [{ name: 'uploads' }],
    timeout: 1_000,
  })
  const timeout = { code: 'ERR_HOOK_TIMEOUT', status: 504 }
  await broker.control('set_vm_memory_high_watermark', 'absolute', '10MB')
  try {
    // The broker reads it when the alarm is over.
    await expect(hooks.call(callOf('on-the-way'), always())).rejects.toMatchObject(timeout)
    await connections[0]!.blocked
    await expect(hooks.call(callOf('held-back'), always())).rejects.toMatchObject(timeout)
  } finally {
    await broker.control('set_vm_memory_high_watermark', 'absolute', '512MB')
  }
  await deliver(hooks, 'afterwards')
  expect(await idsIn(url, 'uploads', 'afterwards')).toEqual(['on-the-way', 'afterwards'])
  expect(connections).toHaveLength(1)
})

test('calls wait for the end of an alarm', async () => {
  const url = await broker.createHost()
  let blocked!: Promise<unknown>
  const hooks = await openHooks({
    connect: async () => {
      const connection = await connect(url)
      blocked = new Promise((resolve) => connection.on('blocked', resolve))
      return connection
    },
    queues: [{ name: 'uploads' }],
    timeout: 60_000,
  })
  await broker.control('set_disk_free_limit', '9000GB')
  const onTheWay = hooks.call(callOf('on-the-way'), always())
  await blocked
  const heldBack = hooks.call(callOf('held-back'), always())
  await broker.control('set_disk_free_limit', '50MB')
  await Promise.all([onTheWay, heldBack])
  expect(await idsIn(url, 'uploads', 'held-back')).toEqual(['on-the-way', 'held-back'])
})

test('a broker that hangs: calls time out, and it recovers', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({
    connect: () => connect(`${url}?heartbeat=1`),
    queues: [{ name: 'uploads' }],
    timeout: 500,
  })
  await broker.pause()
  try {
    await expect(hooks.call(callOf('a'), always())).rejects.toMatchObject({
      code: 'ERR_HOOK_TIMEOUT',
    })
    // Soon the heartbeat ends the connection, and no new one can be opened.
    await until(
      () => hooks.call(callOf('b'), always()).catch((error: unknown) => error),
      (error) => isTusError(error, 'ERR_HOOK_UNAVAILABLE'),
    )
    const another = new AmqpHooks({ connect: () => connect(url), timeout: 500 })
    await expect(another.open()).rejects.toMatchObject({
      code: 'ERR_HOOK_UNAVAILABLE',
      cause: { message: 'The broker took longer than 500 ms' },
    })
    await another.close()
  } finally {
    broker.resume()
  }
  await deliver(hooks, 'c')
  expect(await idsIn(url, 'uploads', 'c')).toContain('c')
})

test('messages for a broker that hangs do not gather in memory', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({
    connect: () => connect(url),
    queues: [{ name: 'uploads' }],
    timeout: 500,
  })
  const headers = { 'x-large': ['x'.repeat(1_000_000)] }
  const request = { method: 'PATCH', target: '/files/large', headers }
  await broker.pause()
  try {
    const calls = Array.from({ length: 100 }, (_, i) => {
      return hooks.call({ ...callOf(`upload-${i}`), request }, always())
    })
    const results = await Promise.allSettled(calls)
    expect(results.filter(({ status }) => status === 'fulfilled')).toEqual([])
  } finally {
    broker.resume()
  }
  await deliver(hooks, 'afterwards')
  // Of 100 messages, as many as fit into the buffers of the connection.
  expect((await idsIn(url, 'uploads', 'afterwards')).length).toBeLessThan(20)
})

test('close ends in time when the broker hangs', async () => {
  const { proxy, url } = await proxied(await broker.createHost())
  const hooks = new AmqpHooks({ connect: () => connect(url), timeout: 500 })
  await hooks.open()
  proxy.stall()
  await expect(hooks.close()).rejects.toMatchObject({ name: 'TimeoutError' })
})
