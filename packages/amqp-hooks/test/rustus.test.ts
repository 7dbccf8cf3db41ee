import { join } from 'node:path'
import { connect } from 'amqplib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { HookType } from 'tuskit'
import { AmqpHooks, type AmqpHooksOptions } from '@tuskit/amqp-hooks'
import { Replay } from '../../../test/hook-formats/recorded.js'
import { fileComposer, serve, temporaryDirectory, until } from '../../../test/support/serve.js'
import { RabbitMq } from '../services.js'
import { consume } from './consumer.js'
import { declaredAt, expectDeclared } from './declared.js'
import { expectSameMessage, recordings, stepOf, type Body, type Recording } from './recorded.js'

const events: readonly HookType[] = [
  ...(['pre-create', 'post-create', 'post-receive'] as const),
  ...(['post-finish', 'pre-terminate', 'post-terminate'] as const),
]
/** The events of each request of the recording. */
const eventsOfRequests = [
  ['pre-create', 'post-create'],
  ['post-receive'],
  ['post-finish'],
  ['pre-terminate', 'post-terminate'],
]

let broker: RabbitMq

beforeAll(async () => {
  broker = await RabbitMq.start()
})
afterAll(() => broker.stop())

/** Starts a server that is configured as Rustus was. */
async function start(options: Partial<AmqpHooksOptions>) {
  const url = await broker.createHost()
  const directory = await temporaryDirectory()
  const hooks = new AmqpHooks({
    connect: () => connect(url),
    format: 'rustus',
    storage: ({ at }) => ({ Type: 'file_storage', Path: join(directory, at.path!) }),
    events,
    ...options,
  })
  const composer = fileComposer(directory)
  const site = await serve({ composer, progressInterval: 1, hooks })
  await site.handler.open()
  return { url, site }
}

/** Sends the requests of the recording, and returns the messages that the queues get. */
async function replay(started: Awaited<ReturnType<typeof start>>, { declared }: Recording) {
  const received = await consume(started.url, ...declared.queues.map(({ name }) => name))
  const sent = () =>
    received.map(({ properties, body }) => ({
      event: properties['type'] as string,
      body: body as object,
    }))
  const replaying = new Replay(started.site, sent)
  const all = Object.values(recordings.declared!.messages).flat()
  for (const [first, ...others] of eventsOfRequests) {
    const { body } = all.find(({ routingKey }) => routingKey === `rustus.${first}`)!
    await replaying.send(stepOf(body as Body), [first!, ...others])
  }
  return received
}

test('messages, queues and bindings are those of Rustus', async () => {
  const recording = recordings.declared!
  const started = await start({
    exchange: { name: 'rustus', durable: false },
    queues: events.map((type) => ({
      name: `rustus.${type}`,
      bindings: [`rustus.${type}`],
      durable: false,
    })),
    routingKey: (type) => `rustus.${type}`,
  })
  expectDeclared(await declaredAt(broker, started.url), recording.declared)
  const received = await replay(started, recording)
  expect(received).toHaveLength(6)
  for (const message of received) {
    expectSameMessage(message, recording.messages[message.queue]![0]!)
  }
})

test('they are with every option changed, as tasks of Celery', async () => {
  const recording = recordings.declaredWithEveryFlagChanged!
  const started = await start({
    exchange: { name: 'uploads', type: 'direct', autoDelete: true },
    queues: events.map((type) => ({
      name: `app.${type}`,
      bindings: [`app.${type}`],
      autoDelete: true,
    })),
    routingKey: (type) => `app.${type}`,
    celery: 'rustus.',
  })
  expectDeclared(await declaredAt(broker, started.url), recording.declared)
  const received = await replay(started, recording)
  expect(received).toHaveLength(6)
  for (const message of received) {
    expectSameMessage(message, recording.messages[message.queue]![0]!)
  }
})

test('with a fixed routing key, the type of each message names its event', async () => {
  const recording = recordings.fixedRoutingKey!
  const started = await start({
    exchange: { name: 'rustus', durable: false },
    queues: [{ name: 'all', durable: false }],
    routingKey: 'all',
  })
  expectDeclared(await declaredAt(broker, started.url), recording.declared)
  const received = await replay(started, recording)
  expect(received.map(({ properties }) => properties['type'])).toEqual(events)
  const [there] = recording.messages['all']!
  // The recording has no bodies here, because nothing in them names the event.
  for (const { exchange, routingKey } of received) {
    expect({ exchange, routingKey }).toEqual({
      exchange: there!.exchange,
      routingKey: there!.routingKey,
    })
  }
})

test('a fanout exchange passes each message to each queue', async () => {
  const recording = recordings.fanout!
  const names = recording.declared.queues.map(({ name }) => name)
  const started = await start({
    exchange: { name: 'rustus', type: 'fanout', durable: false },
    queues: names.map((name) => ({ name, bindings: [name], durable: false })),
    routingKey: (type) => `rustus.${type}`,
  })
  expectDeclared(await declaredAt(broker, started.url), recording.declared)
  const received = await replay(started, { ...recording, declared: recording.declared })
  await until(
    async () => received,
    (messages) => messages.length === 36,
  )
  for (const name of names) {
    const keys = received.filter(({ queue }) => queue === name).map(({ routingKey }) => routingKey)
    expect(keys.toSorted()).toEqual(recording.messages[name]!.map(String).toSorted())
  }
})
