import type { HookEvent, Hooks, HookType } from '../../hooks.js'
import type { Upload } from '../../upload.js'
import { runHook } from './run-hook.js'
import type { Engine } from '../engine.js'
import { noExchange, type Exchange } from '../exchange.js'
import { withoutSecret } from '../record/without-secret.js'

/** The hooks that are told after the fact, by the event they are told of. */
const listeners: { readonly [Type in HookType]?: 'postCreate' | 'postFinish' | 'postTerminate' } = {
  'post-create': 'postCreate',
  'post-finish': 'postFinish',
  'post-terminate': 'postTerminate',
} satisfies { [Type in HookType]?: keyof Hooks }

/** Queues an event for the hook that listens for it, if there is one. */
export function notify(
  engine: Engine,
  event: HookEvent,
  upload: Upload,
  exchange: Exchange = noExchange,
): void {
  const name = listeners[event.type]
  if (name === undefined || engine.hooks[name] === undefined) return
  const { request } = exchange
  const context = { event, upload: withoutSecret(upload), request }
  void engine.events.add(upload.id, async () => {
    if (event.type !== 'post-create') await exchange.responded
    try {
      await runHook(engine.hookLimit, context, (told) => engine.hooks[name]!(told))
    } catch (error) {
      engine.log.error(`The hook ${event.type} failed`, { uploadId: upload.id, error })
    }
  })
}
