export { AmqpHooks } from './amqp-hooks.js'
export type { AmqpExchange, AmqpHooksOptions, AmqpQueue } from './amqp-hooks-options.js'
export type { AmqpChannel, AmqpConnection, AmqpProperties } from './amqp-client.js'
