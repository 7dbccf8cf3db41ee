import { isTusError, TusError } from 'tuskit'
import type { HookBackend, HookCall, HookType, ReadOptions } from 'tuskit'
import { usualEvents } from 'tuskit/hook-formats'
import { checkAmqpOptions, type AmqpHooksOptions } from './amqp-hooks-options.js'
import { LastingPublisher } from './lasting-publisher.js'
import { messageOf } from './message-of.js'
import { topologyOf } from './topology.js'
import { within } from './within.js'

/**
 * Publishes a message for each event, to RabbitMQ or another broker that speaks AMQP 0-9-1. A call
 * resolves when the broker has confirmed that the message is in a queue.
 *
 * Messages are persistent. Their type is the event's name, and their id is that of the event, so
 * that consumers recognise one that comes twice. `access` and the `pre-` events have a different id
 * each time.
 *
 * When the connection is lost, it is opened again, and everything is declared again. Until the
 * `timeout`, a call waits for that and sends its message again.
 *
 * A call rejects with `ERR_HOOK_UNAVAILABLE` if the broker cannot be reached, refuses the message,
 * or has no queue for it, and with `ERR_HOOK_TIMEOUT` if it does not confirm in time. Then the
 * message may have arrived. To send it until it is confirmed, use an outbox.
 *
 * `open` rejects with `ERR_HOOK_UNAVAILABLE` if the broker cannot be reached, or the exchange or a
 * queue cannot be declared. The constructor throws a `TypeError` for wrong options.
 *
 * @example
 * const handler = createHandler({
 *   basePath: '/files',
 *   composer,
 *   outbox: new FileOutbox({ directory: './events' }),
 *   hooks: new AmqpHooks({
 *     connect: () => connect('amqp://localhost?heartbeat=10'),
 *     events: ['post-finish'],
 *     queues: [{ name: 'finished-uploads' }],
 *   }),
 * })
 */
export class AmqpHooks implements HookBackend {
  readonly events: readonly HookType[]
  readonly #options: AmqpHooksOptions
  readonly #timeout: number
  readonly #publisher: LastingPublisher
  readonly #routingKeys: ReadonlyMap<HookType, string>

  constructor(options: AmqpHooksOptions) {
    this.#options = checkAmqpOptions(options)
    const { connect, exchange = {}, queues = [], routingKey, events, timeout } = this.#options
    this.events = events?.slice() ?? usualEvents.filter((type) => type.startsWith('post-'))
    this.#routingKeys = new Map(this.events.map((type) => [type, keyOf(type, routingKey)]))
    this.#timeout = timeout ?? 5_000
    const topology = topologyOf(exchange, queues, [...new Set(this.#routingKeys.values())])
    this.#publisher = new LastingPublisher(connect, topology, this.#timeout)
  }

  async open(): Promise<void> {
    try {
      await this.#publisher.open()
    } catch (cause) {
      throw unavailable(cause)
    }
  }

  async call(call: HookCall, { signal }: ReadOptions): Promise<void> {
    const message = messageOf(call, this.#routingKeys.get(call.event.type)!, this.#options)
    let failure: unknown
    const limit = {
      milliseconds: this.#timeout,
      signal,
      // It did not get as far as to wait for the confirm.
      timeoutError: () => (failure === undefined ? late() : unavailable(failure)),
    }
    try {
      await within(limit, (signal) =>
        this.#publisher.publish(message, signal, (error) => (failure = error)),
      )
    } catch (error) {
      throw signal.aborted ? error : unavailable(error)
    }
  }

  async close(): Promise<void> {
    await this.#publisher.close()
  }
}

function keyOf(event: HookType, given: AmqpHooksOptions['routingKey']): string {
  const key: unknown = typeof given === 'function' ? given(event) : (given ?? event)
  if (typeof key === 'string' && Buffer.byteLength(key) <= 255) return key
  const expectation = 'return a string of at most 255 bytes'
  throw new TypeError(`AmqpHooks: option 'routingKey' must ${expectation} for ${event}`)
}

function late(): TusError {
  return new TusError('ERR_HOOK_TIMEOUT')
}

function unavailable(cause: unknown): TusError {
  return isTusError(cause) ? cause : new TusError('ERR_HOOK_UNAVAILABLE', { cause })
}
