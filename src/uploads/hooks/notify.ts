import type { IncomingMessage } from 'node:http'
import { hookRequestOf } from '../../hook-request.js'
import type { OutboxEntry } from '../../hook-outbox.js'
import type { Upload } from '../../upload.js'
import { isoTime, type Engine } from '../engine.js'
import { noExchange, type Exchange } from '../exchange.js'
import { withoutSecret } from '../record/without-secret.js'
import { hookEvent } from './hook-event.js'
import { listeners, type Fact } from './listeners.js'
import { runHook } from './run-hook.js'

/**
 * Stores the events that report facts in the outbox, if there is one, and returns them. Called
 * before the record changes, with the record as it will be.
 */
export async function announce(
  engine: Engine,
  facts: readonly Fact[],
  upload: Upload,
  { request }: Exchange = noExchange,
): Promise<readonly OutboxEntry[]> {
  const listened = facts.filter(({ type }) => engine.hooks[listeners[type]].length > 0)
  const entries = listened.map((fact) => entryOf(fact, upload, request))
  for (const entry of entries) await engine.deliveries?.announce(entry)
  return entries
}

/** Notes that announced events have happened. Called under the lock of the upload. */
export async function confirm(engine: Engine, entries: readonly OutboxEntry[]): Promise<void> {
  for (const entry of entries) await engine.deliveries?.confirm(entry)
}

/** Forgets an announced fact that cannot happen any more. */
export async function withdraw(engine: Engine, fact: Fact, upload: Upload): Promise<void> {
  await engine.deliveries?.withdraw(entryOf(fact, upload))
}

function entryOf({ type, offset }: Fact, upload: Upload, request?: IncomingMessage): OutboxEntry {
  return {
    event: { type, id: hookEvent(upload.id, type).id },
    upload: withoutSecret(upload),
    offset,
    ...(request && { request: hookRequestOf(request) }),
    happened: false,
    storedAt: isoTime(0),
  }
}

/** Queues an event for the hooks that listen for it, if there are any. */
export function notify(
  engine: Engine,
  { type, offset }: Fact,
  upload: Upload,
  exchange: Exchange = noExchange,
): void {
  const name = listeners[type]
  if (engine.hooks[name].length === 0) return
  const event = hookEvent(upload.id, type)
  const { request } = exchange
  void engine.events.add(upload.id, async () => {
    if (type !== 'post-create') await exchange.responded
    if (engine.deliveries !== undefined) {
      return engine.deliveries.happened(upload.id, event.id, request)
    }
    const context = { event, upload: withoutSecret(upload), offset, request }
    for (const hook of engine.hooks[name]) {
      try {
        await runHook(engine.hookLimit, context, hook)
      } catch (error) {
        engine.log.error(`The hook ${type} failed`, { uploadId: upload.id, error })
      }
    }
  })
}
