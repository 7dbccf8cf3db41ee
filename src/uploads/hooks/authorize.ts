import type { AccessAction } from '../../hooks.js'
import type { Upload } from '../../upload.js'
import type { Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import { withoutSecret } from '../record/without-secret.js'
import { beRejection, callHook } from './call-hook.js'
import { hookEvent } from './hook-event.js'
import { hookRejection } from './hook-response.js'

/** Asks the `access` hook whether the request may do `action`. Throws when it may not. */
export async function authorize(
  engine: Engine,
  action: AccessAction,
  subject: Upload | undefined,
  exchange: Exchange,
): Promise<void> {
  const { hooks } = engine
  if (hooks.access === undefined || exchange.request === undefined) return
  const event = hookEvent(subject?.id ?? '', 'access')
  const upload = subject && withoutSecret(subject)
  const context = { event, action, upload, request: exchange.request }
  const verdict = await callHook(engine.hookLimit, { reject: beRejection }, context, (called) =>
    hooks.access!(called),
  )
  if (verdict.reject) throw hookRejection('ERR_ACCESS_DENIED', verdict.reject)
}
