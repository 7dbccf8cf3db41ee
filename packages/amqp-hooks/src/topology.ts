import type { AmqpChannel } from './amqp-client.js'
import type { AmqpExchange, AmqpQueue } from './amqp-hooks-options.js'

/** The exchange, and the queues that are bound to it. */
export interface Topology {
  readonly exchange: Required<AmqpExchange>
  readonly queues: readonly Required<AmqpQueue>[]
}

/**
 * Returns the topology with all defaults. `keys` are those by which a queue is bound by default.
 */
export function topologyOf(
  exchange: AmqpExchange,
  queues: readonly AmqpQueue[],
  keys: readonly string[],
): Topology {
  return {
    exchange: {
      ...{ name: 'tuskit', type: 'topic', durable: true, autoDelete: false, declare: true },
      ...exchange,
    },
    queues: queues.map((queue) => ({
      ...{ bindings: keys, durable: true, autoDelete: false, arguments: {} },
      ...queue,
    })),
  }
}

/**
 * Makes sure that the exchange exists, and the queues with their bindings. Rejects if one of them
 * exists with other properties.
 */
export async function declare(channel: AmqpChannel, { exchange, queues }: Topology): Promise<void> {
  // The default exchange exists, and every queue is bound to it.
  const isDefault = exchange.name === ''
  if (!isDefault && exchange.declare) {
    const { name, type, durable, autoDelete } = exchange
    await channel.assertExchange(name, type, { durable, autoDelete })
  } else if (!isDefault) {
    await channel.checkExchange(exchange.name)
  }
  for (const { name, bindings, ...options } of queues) {
    await channel.assertQueue(name, options)
    if (isDefault) continue
    for (const key of bindings) await channel.bindQueue(name, exchange.name, key)
  }
}
