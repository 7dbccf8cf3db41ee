import type { AccessAction } from '../../hooks.js'
import type { Upload } from '../../upload.js'
import type { Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import { withoutSecret } from '../record/without-secret.js'
import { beRejection, callHook } from './call-hook.js'
import { hookEvent } from './hook-event.js'
import { hookRejection } from './hook-response.js'

/** Asks the `access` hooks whether the request may do `action`. Throws when it may not. */
export async function authorize(
  engine: Engine,
  action: AccessAction,
  subject: Upload | undefined,
  exchange: Exchange,
): Promise<void> {
  if (exchange.request === undefined) return
  const event = hookEvent(subject?.id ?? '', 'access')
  const upload = subject && withoutSecret(subject)
  const context = { event, action, upload, request: exchange.request }
  for (const hook of engine.hooks.access) {
    const verdict = await callHook(engine.hookLimit, { reject: beRejection }, context, hook)
    if (verdict.reject) throw hookRejection('ERR_ACCESS_DENIED', verdict.reject)
  }
}
