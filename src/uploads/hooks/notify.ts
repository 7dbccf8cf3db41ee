import type { Hooks } from '../../hooks.js'
import type { Upload } from '../../upload.js'
import type { Engine } from '../engine.js'
import { noExchange, type Exchange } from '../exchange.js'
import { withoutSecret } from '../record/without-secret.js'
import { hookEvent } from './hook-event.js'
import { runHook } from './run-hook.js'

/** The hooks that run after the fact, by the type of their event. */
const listeners = {
  'post-create': 'postCreate',
  'post-finish': 'postFinish',
  'post-terminate': 'postTerminate',
} as const satisfies { [type: string]: keyof Hooks }

/** Something that has happened to an upload. */
export interface Fact {
  readonly type: keyof typeof listeners
  /** Bytes that are stored. */
  readonly offset: number
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
  const context = { event, upload: withoutSecret(upload), offset, request: exchange.request }
  void engine.events.add(upload.id, async () => {
    if (type !== 'post-create') await exchange.responded
    for (const hook of engine.hooks[name]) {
      try {
        await runHook(engine.hookLimit, context, hook)
      } catch (error) {
        engine.log.error(`The hook ${type} failed`, { uploadId: upload.id, error })
      }
    }
  })
}
