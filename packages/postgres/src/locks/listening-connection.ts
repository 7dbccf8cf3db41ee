import { unlessAborted } from 'tuskit/store-kit'
import { postgresError } from '../postgres-error.js'
import type { PostgresConnection, PostgresNotification } from '../postgres-pool.js'

/** A connection, and how to close it. */
export interface OwnConnection {
  readonly connection: PostgresConnection
  readonly end: () => unknown
}

/** The parts of a {@link ListeningConnection}, without its connection. */
export interface ListeningParts {
  readonly channel: string
  readonly onMessage: (text: string) => void
  /** Called once, when the connection is lost after it has begun to listen. */
  readonly onLost: () => void
  /** Ends the attempt to listen. */
  readonly signal: AbortSignal
}

/** Milliseconds in which the server must respond. */
export const patience = 10_000

/** Milliseconds between two questions whether the server still responds. */
const pingInterval = 20_000

/** A connection that listens to a channel. */
export class ListeningConnection {
  readonly #own: OwnConnection
  readonly #parts: ListeningParts
  readonly #onError = () => this.#lose()
  readonly #onNotification = ({ channel, payload = '' }: PostgresNotification) => {
    if (channel === this.#parts.channel) this.#parts.onMessage(payload)
  }
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  /** Begins to listen. Closes the connection if that fails. */
  static async open(own: OwnConnection, parts: ListeningParts): Promise<ListeningConnection> {
    const listening = new ListeningConnection(own, parts)
    try {
      await listening.#query(`LISTEN "${parts.channel}"`, parts.signal)
      if (listening.#isOver) throw new Error('The connection was lost')
      listening.#startPings()
      return listening
    } catch (error) {
      listening.end()
      throw postgresError(error)
    }
  }

  private constructor(own: OwnConnection, parts: ListeningParts) {
    this.#own = own
    this.#parts = parts
    own.connection.on('error', this.#onError)
    own.connection.on('notification', this.#onNotification)
  }

  /** Rejects unless the server responds. */
  async ping(): Promise<void> {
    await this.#query('SELECT 1', AbortSignal.timeout(patience))
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#timer)
    const { connection, end } = this.#own
    // It may still fail, and an error without a listener would end the process.
    connection.on('error', () => {})
    connection.off('error', this.#onError)
    connection.off('notification', this.#onNotification)
    void end()
  }

  /** A connection can be dead without notice, and then no message would arrive. */
  #startPings(): void {
    const ping = () => void this.ping().catch(() => this.#lose())
    this.#timer = setInterval(ping, pingInterval).unref()
  }

  #lose(): void {
    const wasListening = this.#timer !== undefined && !this.#isOver
    this.end()
    if (wasListening) this.#parts.onLost()
  }

  async #query(text: string, signal: AbortSignal): Promise<void> {
    try {
      await unlessAborted(signal, this.#own.connection.query(text))
    } catch (error) {
      throw postgresError(error)
    }
  }
}
