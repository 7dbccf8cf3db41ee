import { setTimeout as sleep } from 'node:timers/promises'
import { unlessAborted } from 'tuskit/store-kit'
import type { AmqpConnection } from './amqp-client.js'
import { Publisher, type Message } from './publisher.js'
import type { Topology } from './topology.js'
import { within } from './within.js'

/** The longest waits after the first failure, and after any. In milliseconds. */
const [firstDelay, longestDelay] = [100, 5_000]

/** Publishes messages, and connects again whenever the connection is lost. */
export class LastingPublisher {
  readonly #connect: () => Promise<AmqpConnection>
  readonly #topology: Topology
  readonly #timeout: number
  readonly #closing = new AbortController()
  /** The one in use, or one that is being opened. */
  #current: Promise<Publisher> | undefined
  /** Lost connections and failed attempts since a connection lasted. */
  #failures = 0

  constructor(connect: () => Promise<AmqpConnection>, topology: Topology, timeout: number) {
    this.#connect = connect
    this.#topology = topology
    this.#timeout = timeout
  }

  /** Connects and declares everything, unless this has been done. Does not try twice. */
  async open(): Promise<void> {
    await this.#publisher()
  }

  /**
   * Publishes a message, and again over other connections while they are lost. `onFailure` is
   * notified of each failure after which it tries again.
   */
  async publish(
    message: Message,
    signal: AbortSignal,
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    for (;;) {
      this.#closing.signal.throwIfAborted()
      let publisher: Publisher | undefined
      try {
        publisher = await unlessAborted(signal, this.#publisher())
        return await publisher.publish(message, { signal })
      } catch (error) {
        const isLost = publisher === undefined || publisher.isLost
        if (!isLost || signal.aborted || this.#closing.signal.aborted) throw error
        onFailure(error)
      }
    }
  }

  /** Closes the connection. It is not opened again. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('The connection to the broker is closed'))
    const publisher = await this.#current?.catch(() => undefined)
    if (publisher === undefined || publisher.isLost) return
    const signal = AbortSignal.timeout(this.#timeout)
    await unlessAborted(signal, publisher.close())
  }

  #publisher(): Promise<Publisher> {
    return (this.#current ??= this.#open())
  }

  async #open(): Promise<Publisher> {
    const limit = {
      milliseconds: this.#timeout,
      signal: this.#closing.signal,
      timeoutError: () => new Error(`The broker took longer than ${this.#timeout} ms`),
    }
    try {
      await this.#pause()
      return await within(limit, (signal) => this.#attempt(signal))
    } catch (error) {
      this.#failures++
      this.#current = undefined
      throw error
    }
  }

  async #attempt(signal: AbortSignal): Promise<Publisher> {
    signal.throwIfAborted()
    let openedAt: number | undefined
    const onLost = () => {
      if (openedAt !== undefined) this.#reconnect(performance.now() - openedAt)
    }
    const connection = await unlessAborted(signal, this.#connect(), (late) => late.close())
    const publisher = await Publisher.open(connection, this.#topology, { signal, onLost })
    if (publisher.isLost) throw new Error('The broker closed the connection')
    openedAt = performance.now()
    return publisher
  }

  /** Waits before an attempt after a failure. The wait is random, so that servers spread out. */
  async #pause(): Promise<void> {
    if (this.#failures === 0) return
    const longest = Math.min(longestDelay, firstDelay * 2 ** (this.#failures - 1))
    const { signal } = this.#closing
    await sleep((0.5 + Math.random() / 2) * longest, undefined, { signal, ref: false })
  }

  /** Connects again without waiting for the next message, so that consumers find their queues. */
  #reconnect(lasted: number): void {
    this.#current = undefined
    this.#failures = lasted > longestDelay ? 1 : this.#failures + 1
    void this.#reopen()
  }

  async #reopen(): Promise<void> {
    let isOpen = false
    while (!isOpen && !this.#closing.signal.aborted) {
      isOpen = await this.#publisher().then(
        () => true,
        () => false,
      )
    }
  }
}
