import { connect } from 'amqplib'
import { onTestFinished } from 'vitest'

/** A message as a consumer gets it. */
export interface Received {
  readonly queue: string
  readonly exchange: string
  readonly routingKey: string
  readonly properties: Readonly<Record<string, unknown>>
  readonly body: unknown
}

/** Takes messages out of queues, and notes them in their order. */
export async function consume(url: string, ...queues: readonly string[]): Promise<Received[]> {
  const connection = await connect(url)
  // The broker may be killed.
  connection.on('error', () => {})
  onTestFinished(async () => connection.close().catch(() => {}))
  const channel = await connection.createChannel()
  const received: Received[] = []
  for (const queue of queues) {
    await channel.consume(
      queue,
      (message) => {
        if (message === null) return
        const { fields, properties, content } = message
        const { exchange, routingKey } = fields
        const set = Object.entries(properties).filter(([, value]) => value !== undefined)
        received.push({
          queue,
          exchange,
          routingKey,
          properties: Object.fromEntries(set) as Readonly<Record<string, unknown>>,
          body: JSON.parse(content.toString()) as unknown,
        })
      },
      { noAck: true },
    )
  }
  return received
}
