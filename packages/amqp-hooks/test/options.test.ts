import { connect } from 'amqplib'
import { expect, test } from 'vitest'
import { AmqpHooks, type AmqpHooksOptions } from '@tuskit/amqp-hooks'

const always = { connect: () => connect('amqp://localhost') }

test.each<[object, string]>([
  [{}, "AmqpHooks: option 'connect' must be a function, not undefined"],
  [{ ...always, url: 'amqp://localhost' }, "AmqpHooks: there is no option 'url'"],
  [{ ...always, routingkey: 'a' }, "did you mean 'routingKey'?"],
  [
    { ...always, routingKey: 'a'.repeat(256) },
    "option 'routingKey' must be a string of at most 255",
  ],
  [{ ...always, routingKey: () => 7 }, "option 'routingKey' must return a string of at most 255"],
  [{ ...always, events: ['post-finished'] }, "did you mean 'post-finish'?"],
  [{ ...always, format: 'celery' }, "option 'format' must be one of 'tusd'"],
  [{ ...always, celery: '' }, "option 'celery' must be a non-empty string"],
  [{ ...always, timeout: 0 }, "option 'timeout' must be a number of milliseconds"],
  [{ ...always, exchange: 'uploads' }, "option 'exchange' must be an object"],
  [{ ...always, exchange: { kind: 'topic' } }, "there is no option 'exchange.kind'"],
  [{ ...always, exchange: { type: 'topics' } }, "did you mean 'topic'?"],
  [{ ...always, exchange: { durable: 'no' } }, "option 'exchange.durable' must be a boolean"],
  [{ ...always, queues: ['uploads'] }, "option 'queues' must be an array of objects"],
  [{ ...always, queues: [{}] }, "option 'queues.0.name' must be a string of 1 to 255 bytes"],
  [{ ...always, queues: [{ name: 'a', bindings: '#' }] }, "option 'queues.0.bindings' must be"],
  [{ ...always, queues: [{ name: 'a', binding: ['#'] }] }, "did you mean 'queues.0.bindings'?"],
])('%j is refused', (options, message) => {
  expect(() => new AmqpHooks(options as AmqpHooksOptions)).toThrow(message)
})

test('by default, the events are those after the fact', () => {
  expect(new AmqpHooks(always).events).toEqual([
    'post-create',
    'post-receive',
    'post-finish',
    'post-terminate',
  ])
})

test('a plugin may add types of exchanges', () => {
  const exchange = { type: 'x-consistent-hash' }
  expect(new AmqpHooks({ ...always, exchange }).events).toHaveLength(4)
})
