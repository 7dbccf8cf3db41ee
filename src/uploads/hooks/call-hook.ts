import { checkOptions, must, type OptionRule } from '../../check-options.js'
import { isTusError, TusError } from '../../errors.js'
import type { TimeLimit } from '../stores/time-limit.js'
import { runHook, type Called, type Told } from './run-hook.js'

/** The rule for members of verdicts that reject, stop or respond. */
export const beRejection: OptionRule = {
  expectation: 'a boolean, or an object with status, headers and body',
  accepts: (v) => typeof v === 'boolean' || must.beObject.accepts(v),
}

/**
 * Calls a hook and returns its verdict, checked by the rules of its members: a misspelt rejection
 * must not pass as consent. Throws `ERR_HOOK_FAILED` when the hook throws, exceeds its time limit
 * or breaks a rule.
 */
export async function callHook<Verdict extends object, Context extends Told>(
  limit: TimeLimit,
  rules: { readonly [Name in keyof Required<Verdict>]: OptionRule },
  context: Context,
  hook: (context: Context & Called) => Verdict | void | Promise<Verdict | void>,
): Promise<Partial<Verdict>> {
  try {
    const verdict = (await runHook(limit, context, hook)) ?? {}
    const owner = { name: `The result of the hook ${context.event.type}`, noun: 'member' }
    return checkOptions<Partial<Verdict>>(owner, verdict, rules)
  } catch (cause) {
    throw isTusError(cause) ? cause : new TusError('ERR_HOOK_FAILED', { cause })
  }
}
