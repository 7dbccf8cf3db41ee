import { connect, type ChannelModel } from 'amqplib'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { formatHookCall, hookTypes } from 'tuskit/hook-formats'
import { AmqpHooks, type AmqpConnection } from '@tuskit/amqp-hooks'
import { until } from '../../../test/support/serve.js'
import { RabbitMq } from '../services.js'
import { always, callOf, openHooks } from './calls.js'
import { consume } from './consumer.js'

let broker: RabbitMq

beforeAll(async () => {
  broker = await RabbitMq.start()
})
afterAll(() => broker.stop())

/** Connects as an operator. */
async function operator(url: string) {
  const connection = await connect(url)
  onTestFinished(() => connection.close())
  return connection.createConfirmChannel()
}

/** Returns a function that connects, and the connections that it has made. */
function connecting(url: string) {
  const connections: ChannelModel[] = []
  const open = async (): Promise<AmqpConnection> => {
    const connection = await connect(url)
    connections.push(connection)
    return connection
  }
  return { open, connections }
}

const unavailable = (reason: RegExp) =>
  expect.objectContaining({
    code: 'ERR_HOOK_UNAVAILABLE',
    cause: expect.objectContaining({ message: expect.stringMatching(reason) as string }) as Error,
  }) as Error

test('a message is persistent, and says which event it is about', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({ connect: () => connect(url), queues: [{ name: 'uploads' }] })
  const before = Math.floor(Date.now() / 1000)
  await hooks.call(callOf('a'), always())
  const received = await consume(url, 'uploads')
  await until(
    async () => received,
    (messages) => messages.length === 1,
  )
  expect(received[0]).toMatchObject({
    exchange: 'tuskit',
    routingKey: 'post-finish',
    properties: {
      type: 'post-finish',
      messageId: 'a/post-finish',
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      deliveryMode: 2,
    },
    body: formatHookCall(callOf('a')),
  })
  expect(received[0]!.properties['timestamp']).toBeGreaterThanOrEqual(before)
})

test('messages arrive in the order of the calls', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({ connect: () => connect(url), queues: [{ name: 'uploads' }] })
  const ids = Array.from({ length: 200 }, (_, i) => `upload-${i}`)
  await Promise.all(ids.map((id) => hooks.call(callOf(id), always())))
  const received = await consume(url, 'uploads')
  await until(
    async () => received,
    (messages) => messages.length === ids.length,
  )
  expect(received.map(({ properties }) => properties['messageId'])).toEqual(
    ids.map((id) => `${id}/post-finish`),
  )
})

test('a question that is asked twice has a different id each time', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({
    connect: () => connect(url),
    queues: [{ name: 'uploads' }],
    events: ['access', 'post-finish'],
  })
  for (const type of ['access', 'access', 'post-finish', 'post-finish'] as const) {
    await hooks.call(callOf('a', type), always())
  }
  const received = await consume(url, 'uploads')
  await until(
    async () => received,
    (messages) => messages.length === 4,
  )
  const ids = received.map(({ properties }) => properties['messageId'])
  expect(new Set(ids).size).toBe(3)
  expect(ids.slice(2)).toEqual(['a/post-finish', 'a/post-finish'])
})

test('the default exchange passes messages to the queue with the name of the routing key', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({
    connect: () => connect(url),
    exchange: { name: '' },
    routingKey: 'uploads',
    queues: [{ name: 'uploads', arguments: { 'x-queue-type': 'quorum' } }],
  })
  await hooks.call(callOf('a'), always())
  const channel = await operator(url)
  expect(await channel.checkQueue('uploads')).toMatchObject({ messageCount: 1 })
})

test('a message that no queue takes is a failure, and others are not', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({
    connect: () => connect(url),
    queues: [{ name: 'uploads', bindings: ['post-finish'] }],
  })
  const results = await Promise.allSettled([
    hooks.call(callOf('a'), always()),
    hooks.call(callOf('b', 'post-create'), always()),
    hooks.call(callOf('b', 'post-create'), always()),
    hooks.call(callOf('b'), always()),
  ])
  const noQueue = { status: 'rejected', reason: unavailable(/^No queue takes the message$/) }
  const taken = { status: 'fulfilled' }
  expect(results).toMatchObject([taken, noQueue, noQueue, taken])
})

test('a message that the broker refuses is a failure', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({
    connect: () => connect(url),
    queues: [{ name: 'full', arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } }],
  })
  await hooks.call(callOf('a'), always())
  await expect(hooks.call(callOf('b'), always())).rejects.toEqual(
    unavailable(/^The broker does not take the message$/),
  )
  // An outbox sends it again.
  const channel = await operator(url)
  await channel.purgeQueue('full')
  await hooks.call(callOf('b'), always())
})

test('a queue that was deleted is declared again', async () => {
  const url = await broker.createHost()
  const { open, connections } = connecting(url)
  const hooks = await openHooks({ connect: open, queues: [{ name: 'uploads' }] })
  const channel = await operator(url)
  await channel.deleteQueue('uploads')
  await expect(hooks.call(callOf('a'), always())).rejects.toEqual(unavailable(/^No queue/))
  await hooks.call(callOf('a'), always())
  expect(await channel.checkQueue('uploads')).toMatchObject({ messageCount: 1 })
  expect(connections).toHaveLength(1)
})

test('an exchange that was deleted is declared again, and the call succeeds', async () => {
  const url = await broker.createHost()
  const { open, connections } = connecting(url)
  const hooks = await openHooks({ connect: open, queues: [{ name: 'uploads' }] })
  const channel = await operator(url)
  await channel.deleteExchange('tuskit')
  await hooks.call(callOf('a'), always())
  expect(await channel.checkQueue('uploads')).toMatchObject({ messageCount: 1 })
  expect(connections).toHaveLength(2)
})

test('a connection that the operator closes is opened again', async () => {
  const url = await broker.createHost()
  const { open, connections } = connecting(url)
  const hooks = await openHooks({ connect: open, queues: [{ name: 'uploads' }] })
  const closed = new Promise((resolve) => connections[0]!.on('close', resolve))
  const host = new URL(url).pathname.slice(1)
  await broker.control('close_all_connections', '--vhost', host, 'maintenance')
  await closed
  await hooks.call(callOf('a'), always())
  expect(connections).toHaveLength(2)
})

test('without a declaration, the exchange must exist', async () => {
  const url = await broker.createHost()
  const options = {
    connect: () => connect(url),
    exchange: { name: 'elsewhere', declare: false },
  }
  await expect(openHooks(options)).rejects.toEqual(unavailable(/no exchange 'elsewhere'/))
  const channel = await operator(url)
  await channel.assertExchange('elsewhere', 'fanout')
  await channel.assertQueue('uploads')
  await channel.bindQueue('uploads', 'elsewhere', '')
  const hooks = await openHooks(options)
  await hooks.call(callOf('a'), always())
  expect(await channel.checkQueue('uploads')).toMatchObject({ messageCount: 1 })
})

test('open fails if the exchange has other properties, and leaves no connection', async () => {
  const url = await broker.createHost()
  const channel = await operator(url)
  await channel.assertExchange('tuskit', 'fanout')
  const { open, connections } = connecting(url)
  const hooks = new AmqpHooks({ connect: open })
  await expect(hooks.open()).rejects.toEqual(unavailable(/PRECONDITION_FAILED.*'type'/))
  // It does not try again by itself.
  expect(connections).toHaveLength(1)
  await expect(async () => connections[0]!.close()).rejects.toThrow(/clos/)
})

test.each([
  ['nothing listens', () => 'amqp://127.0.0.1:1', /ECONNREFUSED/],
  ['the password is wrong', () => broker.url.replace('//', '//guest:wrong@'), /ACCESS.REFUSED/],
  ['the virtual host is missing', () => `${broker.url}/missing`, /ConnectionClose/],
])('open fails when %s', async (_, url, reason) => {
  await expect(openHooks({ connect: () => connect(url()) })).rejects.toEqual(unavailable(reason))
})

test('a call ends when its signal aborts, and the next one works', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({ connect: () => connect(url), queues: [{ name: 'uploads' }] })
  const controller = new AbortController()
  const reason = new Error('The hook takes too long')
  const aborted = hooks.call(callOf('a'), { signal: controller.signal })
  controller.abort(reason)
  await expect(aborted).rejects.toBe(reason)
  await expect(hooks.call(callOf('a'), { signal: controller.signal })).rejects.toBe(reason)
  await hooks.call(callOf('b'), always())
})

test('close ends the connection, and later calls fail', async () => {
  const url = await broker.createHost()
  const { open, connections } = connecting(url)
  const hooks = await openHooks({ connect: open, queues: [{ name: 'uploads' }] })
  const closed = new Promise((resolve) => connections[0]!.on('close', resolve))
  await hooks.close()
  await closed
  await expect(hooks.call(callOf('a'), always())).rejects.toMatchObject({
    code: 'ERR_HOOK_UNAVAILABLE',
  })
  expect(connections).toHaveLength(1)
})

test('all events can be sent', async () => {
  const url = await broker.createHost()
  const hooks = await openHooks({
    connect: () => connect(url),
    events: hookTypes,
    queues: [{ name: 'uploads' }],
  })
  for (const type of hookTypes) {
    expect(await hooks.call(callOf('a', type), always())).toBeUndefined()
  }
  const received = await consume(url, 'uploads')
  await until(
    async () => received,
    (messages) => messages.length === hookTypes.length,
  )
  expect(received.map(({ properties }) => properties['type'])).toEqual(hookTypes)
})
