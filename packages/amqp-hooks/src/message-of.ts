import { randomUUID } from 'node:crypto'
import type { HookCall } from 'tuskit'
import { formatHookCall } from 'tuskit/hook-formats'
import type { AmqpHooksOptions } from './amqp-hooks-options.js'
import type { Message } from './publisher.js'

/** Returns the message about an event. */
export function messageOf(
  call: HookCall,
  routingKey: string,
  options: Pick<AmqpHooksOptions, 'celery' | 'format' | 'storage'>,
): Message {
  const { type } = call.event
  const message = formatHookCall(call, options)
  const messageId = idOf(call)
  const isTask = options.celery !== undefined
  return {
    routingKey,
    // A task of Celery: its arguments, its named arguments, and what to do with the result.
    content: Buffer.from(JSON.stringify(isTask ? [[message], {}, {}] : message)),
    properties: {
      type,
      messageId,
      timestamp: Math.floor(Date.now() / 1000),
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      headers: isTask ? { id: messageId, task: options.celery + type } : {},
      persistent: true,
      mandatory: true,
    },
  }
}

/**
 * Returns the id by which consumers recognise a message that comes twice. Each of the others is a
 * question of its own, which may be asked twice.
 */
function idOf({ event }: HookCall): string {
  return event.type.startsWith('post-') ? event.id : randomUUID()
}
