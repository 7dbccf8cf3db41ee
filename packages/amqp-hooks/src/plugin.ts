import { connect } from 'amqplib'
import type { HookType } from 'tuskit'
import { usualEvents, type HookFormat } from 'tuskit/hook-formats'
import { AmqpHooks } from './amqp-hooks.js'
import type { AmqpConnection } from './amqp-client.js'

/** The part of the context of a hook backend that is used. */
export interface PluginContext {
  readonly events: readonly HookType[] | undefined
  readonly format: HookFormat
  /** In milliseconds. */
  readonly timeout: number
}

/** The options after the question mark. The others belong to amqplib. */
const known = ['queue', 'exchange', 'exchange-type', 'routing-key', 'celery'] as const
const ofClient = ['heartbeat', 'frameMax', 'channelMax', 'locale']

/** Makes backends from URLs such as `amqp://localhost/uploads?queue=finished`. */
export const plugin = {
  hooks: { amqp: fromUrl, amqps: fromUrl },
}

/**
 * Sends the `post-` events. No message queue can decide about the others, and requests would wait
 * for it.
 */
function fromUrl(text: string, { events = usualEvents, format, timeout }: PluginContext) {
  const url = new URL(text)
  const { searchParams: given } = url
  const unknown = [...given.keys()].find((name) => ![...known, ...ofClient].includes(name))
  if (unknown !== undefined) {
    throw new Error(`there is no option ${unknown}, only ${[...known, ...ofClient].join(', ')}`)
  }
  const queues = given.getAll('queue').map((name) => ({ name }))
  const [name, type] = [given.get('exchange'), given.get('exchange-type')]
  const [routingKey, celery] = [given.get('routing-key'), given.get('celery')]
  for (const option of known) given.delete(option)
  if (!given.has('heartbeat')) given.set('heartbeat', '10')
  return new AmqpHooks({
    connect: () => connect(url.href) as Promise<AmqpConnection>,
    events: events.filter((event) => event.startsWith('post-')),
    format,
    timeout,
    queues,
    exchange: { ...(name !== null && { name }), ...(type !== null && { type }) },
    ...(routingKey !== null && { routingKey }),
    ...(celery !== null && { celery }),
  })
}
