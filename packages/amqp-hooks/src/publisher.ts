import { TusError } from 'tuskit'
import { unlessAborted } from 'tuskit/store-kit'
import type { AmqpChannel, AmqpConnection, AmqpProperties } from './amqp-client.js'
import { declare, type Topology } from './topology.js'

/** A message that can be published. */
export interface Message {
  readonly routingKey: string
  readonly content: Buffer
  readonly properties: AmqpProperties
}

/** A message that is not confirmed yet. */
interface Unconfirmed {
  readonly messageId: string
  /** Why no queue took it. */
  returned?: string
}

interface Returned {
  readonly fields: { readonly replyCode?: unknown; readonly replyText?: unknown }
  readonly properties: { readonly messageId?: unknown }
}

/** Publishes messages over one connection, until it is lost. */
export class Publisher {
  readonly #connection: AmqpConnection
  readonly #channel: AmqpChannel
  readonly #topology: Topology
  readonly #unconfirmed = new Set<Unconfirmed>()
  /** Calls that wait until the broker takes messages again. */
  readonly #waiting = new Set<() => void>()
  #isBlocked = false
  #isFull = false
  #isLost = false
  /** Why the connection was lost. */
  #reason: unknown
  #declared: Promise<void> | undefined

  /** Opens a channel and declares everything. If this fails, closes the connection. */
  static async open(
    connection: AmqpConnection,
    topology: Topology,
    options: { readonly signal: AbortSignal; readonly onLost: () => void },
  ): Promise<Publisher> {
    const { signal, onLost } = options
    // Without a listener, an error would end the process. The event `close` follows.
    let reason: unknown
    connection.on('error', (error: unknown) => (reason = error))
    try {
      // By default, a client of amqplib buffers 1,024 messages of any size.
      const creating = connection.createConfirmChannel({ highWaterMark: 16 })
      const channel = await unlessAborted(signal, creating)
      const publisher = new Publisher(connection, channel, topology, onLost)
      await unlessAborted(signal, publisher.#declare())
      return publisher
    } catch (error) {
      closeQuietly(connection)
      throw reason ?? error
    }
  }

  private constructor(
    connection: AmqpConnection,
    channel: AmqpChannel,
    topology: Topology,
    onLost: () => void,
  ) {
    this.#connection = connection
    this.#channel = channel
    this.#topology = topology
    const note = (error: unknown) => (this.#reason ??= error)
    const lose = () => {
      if (this.#isLost) return
      this.#isLost = true
      onLost()
      this.#wake()
      // The channel may have been closed alone, such as when its exchange was deleted.
      closeQuietly(connection)
    }
    connection.on('error', note)
    connection.on('close', lose)
    connection.on('blocked', () => (this.#isBlocked = true))
    connection.on('unblocked', () => {
      this.#isBlocked = false
      this.#wake()
    })
    channel.on('error', note)
    channel.on('close', lose)
    channel.on('drain', () => {
      this.#isFull = false
      this.#wake()
    })
    channel.on('return', (message: Returned) => this.#note(message))
  }

  /** Whether the connection is lost. Then nothing is published any more. */
  get isLost(): boolean {
    return this.#isLost
  }

  /**
   * Publishes a message. Resolves when the broker has confirmed it, so that it is in a queue, and
   * on the disk of a durable one.
   *
   * When the signal aborts, the broker may take the message all the same.
   */
  async publish(message: Message, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await unlessAborted(signal, this.#declare())
    while (this.#isBlocked || this.#isFull) await this.#wait(signal)
    signal.throwIfAborted()
    await unlessAborted(signal, this.#send(message))
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  #declare(): Promise<void> {
    return (this.#declared ??= declare(this.#channel, this.#topology))
  }

  #send({ routingKey, content, properties }: Message): Promise<void> {
    const { name } = this.#topology.exchange
    const sent: Unconfirmed = { messageId: properties.messageId }
    return new Promise((resolve, reject) => {
      const onConfirm = (error: unknown) => {
        this.#unconfirmed.delete(sent)
        if (error !== null) reject(this.#failure(error))
        else if (sent.returned !== undefined) reject(unroutable(sent.returned))
        else resolve()
      }
      this.#unconfirmed.add(sent)
      try {
        this.#isFull = !this.#channel.publish(name, routingKey, content, properties, onConfirm)
      } catch (error) {
        // It throws when the channel is closed.
        onConfirm(error)
      }
    })
  }

  #failure(cause: unknown): TusError {
    if (!this.#isLost) return refused('The broker does not take the message', cause)
    return refused('The connection to the broker was lost', this.#reason ?? cause)
  }

  /** Notes that no queue takes a message. The broker says so before it confirms the message. */
  #note({ fields, properties }: Returned): void {
    for (const sent of this.#unconfirmed) {
      if (sent.messageId !== properties.messageId || sent.returned !== undefined) continue
      sent.returned = `${fields.replyCode as number} ${fields.replyText as string}`
      break
    }
    // A queue or a binding may have been deleted.
    this.#declared = undefined
  }

  async #wait(signal: AbortSignal): Promise<void> {
    let wake!: () => void
    const woken = new Promise<void>((resolve) => (wake = resolve))
    this.#waiting.add(wake)
    try {
      await unlessAborted(signal, woken)
    } finally {
      // A call that is aborted must not stay in memory while the broker takes nothing.
      this.#waiting.delete(wake)
    }
  }

  #wake(): void {
    if (this.#isLost) this.#isBlocked = this.#isFull = false
    for (const wake of this.#waiting) wake()
  }
}

function unroutable(reason: string): TusError {
  return refused('No queue takes the message', new Error(reason))
}

function refused(message: string, reason: unknown): TusError {
  const cause = new Error(message, { cause: reason })
  return new TusError('ERR_HOOK_UNAVAILABLE', { cause })
}

function closeQuietly(connection: AmqpConnection): void {
  // It rejects, or throws, when the connection is closed already.
  void (async () => connection.close())().catch(() => {})
}
