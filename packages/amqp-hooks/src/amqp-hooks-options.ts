import type { HookType } from 'tuskit'
import { hookFormatRules, hookTypes, type HookFormatOptions } from 'tuskit/hook-formats'
import { checkOptions, must, type OptionRule } from 'tuskit/store-kit'
import type { AmqpConnection } from './amqp-client.js'

/** Options of `AmqpHooks`. */
export interface AmqpHooksOptions extends HookFormatOptions {
  /**
   * Opens a connection. It is called by `open`, and again whenever the connection is lost.
   * Required.
   *
   * Ask for heartbeats: without them, a broker that hangs is noticed only after two minutes.
   *
   * @example
   * connect: () => connect('amqp://localhost?heartbeat=10')
   */
  readonly connect: () => Promise<AmqpConnection>
  /**
   * The exchange that gets the messages.
   * @default a durable topic exchange with the name `tuskit`
   */
  readonly exchange?: AmqpExchange
  /**
   * Queues that are declared and bound to the exchange.
   * @default none: somebody else declares them
   */
  readonly queues?: readonly AmqpQueue[]
  /**
   * The routing key of the messages, or a function that returns the one for an event. At most 255
   * bytes.
   * @default the event's name, such as `post-finish`
   *
   * @example
   * routingKey: (event) => `rustus.${event}`
   */
  readonly routingKey?: string | ((event: HookType) => string)
  /**
   * The events that are sent. Requests wait for `access` and the `pre-` events to be sent, and fail
   * if they cannot. No consumer can reject them.
   * @default 'post-create', 'post-receive', 'post-finish' and 'post-terminate'
   */
  readonly events?: readonly HookType[]
  /**
   * Sends tasks for Celery. A task is named after the event, with this text before it: with
   * `uploads.`, that of `post-finish` is `uploads.post-finish`. Its only argument is the message.
   * @default messages are no tasks
   */
  readonly celery?: string
  /**
   * Milliseconds after which a call fails if the broker has not confirmed its message. An attempt
   * to connect may take as long.
   * @default 5_000
   */
  readonly timeout?: number
}

/** The exchange that gets the messages. */
export interface AmqpExchange {
  /**
   * Its name. With an empty one, the broker's default exchange passes messages to the queue whose
   * name is the routing key.
   * @default 'tuskit'
   */
  readonly name?: string
  /**
   * Its type: `topic`, `direct`, `fanout`, `headers`, or that of a plugin, which begins with `x-`.
   * @default 'topic'
   */
  readonly type?: string
  /**
   * Whether it survives a restart of the broker.
   * @default true
   */
  readonly durable?: boolean
  /**
   * Whether the broker deletes it with its last binding.
   * @default false
   */
  readonly autoDelete?: boolean
  /**
   * Whether it is declared. Otherwise it must exist.
   * @default true
   */
  readonly declare?: boolean
}

/** A queue that is declared and bound. */
export interface AmqpQueue {
  /** Its name. Required. */
  readonly name: string
  /**
   * The keys by which it is bound to the exchange, such as `post-*` for a topic exchange.
   * @default the routing keys of all events that are sent
   */
  readonly bindings?: readonly string[]
  /**
   * Whether it survives a restart of the broker. The messages in it do so, too.
   * @default true
   */
  readonly durable?: boolean
  /**
   * Whether the broker deletes it after its last consumer has left.
   * @default false
   */
  readonly autoDelete?: boolean
  /**
   * Arguments for the broker, such as `{ 'x-queue-type': 'quorum' }`.
   * @default none
   */
  readonly arguments?: Readonly<Record<string, unknown>>
}

const types = ['topic', 'direct', 'fanout', 'headers']

const beType: OptionRule = {
  ...must.beOneOf(...types),
  expectation: "'topic', 'direct', 'fanout', 'headers', or a type that begins with 'x-'",
  accepts: (v) => typeof v === 'string' && (types.includes(v) || v.startsWith('x-')),
}
const beShort: OptionRule = { expectation: 'a string of at most 255 bytes', accepts: isShort }
const beShortName: OptionRule = {
  expectation: 'a string of 1 to 255 bytes',
  accepts: (v) => v !== '' && isShort(v),
}
const beRoutingKey: OptionRule = {
  expectation: 'a string of at most 255 bytes, or a function',
  accepts: (v) => typeof v === 'function' || isShort(v),
}
const beBindings: OptionRule = {
  expectation: 'an array of strings of at most 255 bytes',
  accepts: (v) => Array.isArray(v) && v.every(isShort),
}
const beQueues: OptionRule = {
  expectation: "an array of objects, such as { name: 'uploads' }",
  accepts: (v) => Array.isArray(v) && v.every(must.beObject.accepts),
}

/** Checks all options. Throws a `TypeError` that names the wrong one. */
export function checkAmqpOptions(options: AmqpHooksOptions): AmqpHooksOptions {
  const name = 'AmqpHooks'
  const checked = checkOptions<AmqpHooksOptions>(name, options, {
    connect: { ...must.beFunction, required: true },
    exchange: must.beObject,
    queues: beQueues,
    routingKey: beRoutingKey,
    events: must.beListOf(...hookTypes),
    celery: must.beText,
    timeout: must.beMilliseconds,
    ...hookFormatRules,
  })
  const exchange = checkOptions<AmqpExchange>(
    { name, within: 'exchange' },
    checked.exchange ?? {},
    {
      name: beShort,
      type: beType,
      durable: must.beBoolean,
      autoDelete: must.beBoolean,
      declare: must.beBoolean,
    },
  )
  const queues = (checked.queues ?? []).map((queue, index) =>
    checkOptions<AmqpQueue>({ name, within: `queues.${index}` }, queue, {
      name: { ...beShortName, required: true },
      bindings: beBindings,
      durable: must.beBoolean,
      autoDelete: must.beBoolean,
      arguments: must.beObject,
    }),
  )
  return Object.freeze({ ...checked, exchange, queues })
}

function isShort(value: unknown): boolean {
  return typeof value === 'string' && Buffer.byteLength(value) <= 255
}
