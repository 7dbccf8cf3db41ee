import type { ReadOptions } from '../../capabilities/call-options.js'
import { isTusError, TusError, type ErrorCode } from '../../errors.js'
import type { AccessAction, HookEvent, HookResponse } from '../../hooks.js'
import { checkOptions, must, type OptionRule } from '../../check-options.js'
import type { Upload } from '../../upload.js'
import { runHook } from './run-hook.js'
import type { Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import { finalResponse } from './hook-response.js'
import type { TimeLimit } from '../stores/time-limit.js'
import { hookEvent } from '../record/transition.js'
import { withoutSecret } from '../record/without-secret.js'

/** What the members of verdicts must be that refuse or answer. */
export const beRejection: OptionRule = {
  expectation: 'a boolean, or an object with status, headers and body',
  accepts: (v) => typeof v === 'boolean' || must.beObject.accepts(v),
}

/**
 * The verdict of a hook, after a check by the rules of its members: a misspelt refusal must not pass as consent.
 * Whatever the hook throws becomes `ERR_HOOK_FAILED`, and so does a verdict that does not come in time.
 */
export async function callHook<
  Verdict extends object,
  Context extends { readonly event: HookEvent },
>(
  limit: TimeLimit,
  rules: { readonly [Name in keyof Required<Verdict>]: OptionRule },
  context: Context,
  hook: (context: Context & ReadOptions) => Verdict | void | Promise<Verdict | void>,
): Promise<Partial<Verdict>> {
  try {
    const verdict = (await runHook(limit, context, hook)) ?? {}
    const owner = { name: `The result of the hook ${context.event.type}`, noun: 'member' }
    return checkOptions<Partial<Verdict>>(owner, verdict, rules)
  } catch (cause) {
    throw isTusError(cause) ? cause : new TusError('ERR_HOOK_FAILED', { cause })
  }
}

/** The error by which a refusal reaches the client. */
export function refusal(code: ErrorCode, answer: true | HookResponse): TusError {
  if (answer === true) return new TusError(code)
  const { status, message } = new TusError(code)
  return new TusError(code, { response: finalResponse(answer, { status, body: message }) })
}

/** Asks whether the request may do `action`. Throws when it may not. */
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
  const verdict = await callHook(engine.hookLimit, { reject: beRejection }, context, (asked) =>
    hooks.access!(asked),
  )
  if (verdict.reject) throw refusal('ERR_ACCESS_DENIED', verdict.reject)
}
