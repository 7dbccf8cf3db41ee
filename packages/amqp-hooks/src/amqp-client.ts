/** A connection to a broker: the members of a `ChannelModel` of amqplib that are used. */
export interface AmqpConnection {
  /** Opens a channel whose messages are confirmed. It buffers about that many frames. */
  createConfirmChannel(options: { readonly highWaterMark: number }): Promise<AmqpChannel>
  /** Adds a listener: for `error`, `close`, `blocked` and `unblocked`. */
  on(event: string, listener: (...values: never[]) => void): unknown
  /** Closes the connection with all its channels. */
  close(): Promise<void>
}

/** A channel with confirms: the members of a `ConfirmChannel` of amqplib that are used. */
export interface AmqpChannel {
  assertExchange(name: string, type: string, options: Lifespan): Promise<unknown>
  checkExchange(name: string): Promise<unknown>
  assertQueue(name: string, options: Lifespan & { readonly arguments?: object }): Promise<unknown>
  bindQueue(queue: string, exchange: string, bindingKey: string): Promise<unknown>
  /**
   * Sends a message. `confirmed` gets `null` when the broker has taken it, and otherwise an error.
   * Returns `false` if no more should be sent until the event `drain`.
   */
  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    properties: AmqpProperties,
    confirmed: (error: unknown) => void,
  ): boolean
  /** Adds a listener: for `error`, `close`, `drain` and `return`. */
  on(event: string, listener: (...values: never[]) => void): unknown
}

interface Lifespan {
  readonly durable: boolean
  readonly autoDelete: boolean
}

/** The properties of a message. */
export interface AmqpProperties {
  /** The event's name, such as `post-finish`. */
  readonly type: string
  /** The id of the event, by which consumers recognise a message that comes twice. */
  readonly messageId: string
  /** When it was sent, in seconds since 1970. */
  readonly timestamp: number
  readonly contentType: 'application/json'
  readonly contentEncoding: 'utf-8'
  /** Those of a task of Celery. */
  readonly headers: Readonly<Record<string, string>>
  readonly persistent: true
  readonly mandatory: true
}
