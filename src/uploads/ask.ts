import { inspect } from 'node:util'
import { isTusError, TusError, type ErrorCode } from '../errors.js'
import type { AccessAction, HookResponse } from '../hooks.js'
import type { Upload } from '../upload.js'
import type { Engine } from './engine.js'
import type { Exchange } from './exchange.js'
import { finalResponse } from './final-response.js'
import { hookEvent } from './transition.js'

/**
 * The verdict of a hook, after a check that it is made of `known` members: a misspelt refusal must not pass as
 * consent. Whatever the hook throws becomes `ERR_HOOK_FAILED`.
 */
export async function ask<Verdict extends object>(
  known: readonly (keyof Verdict & string)[],
  call: () => Verdict | void | Promise<Verdict | void>,
): Promise<Partial<Verdict>> {
  try {
    const verdict = (await call()) ?? {}
    for (const name of Object.keys(verdict)) {
      if (!(known as readonly string[]).includes(name)) {
        throw new TypeError(`A hook answered with ${inspect(name)}; it may use ${known.join(', ')}`)
      }
    }
    return verdict
  } catch (cause) {
    throw isTusError(cause) ? cause : new TusError('ERR_HOOK_FAILED', { cause })
  }
}

/** The error by which a refusal reaches the client. */
export function refusal(code: ErrorCode, answer: true | HookResponse): TusError {
  if (answer === true) return new TusError(code)
  const { status, message } = new TusError(code)
  return new TusError(code, { response: finalResponse({ body: message, ...answer }, status) })
}

/** Asks whether the request may do `action`. Throws when it may not. */
export async function authorize(
  engine: Engine,
  action: AccessAction,
  upload: Upload | undefined,
  exchange: Exchange,
): Promise<void> {
  const { hooks } = engine
  if (hooks.access === undefined || exchange.request === undefined) return
  const event = hookEvent(upload?.id ?? '', 'access')
  const verdict = await ask(['reject'], () =>
    hooks.access!({ event, action, upload, request: exchange.request }),
  )
  if (verdict.reject) throw refusal('ERR_ACCESS_DENIED', verdict.reject)
}
