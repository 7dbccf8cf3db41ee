import type { ReadOptions } from '../../capabilities/call-options.js'
import type { HookEvent } from '../../hooks.js'
import type { TimeLimit } from '../stores/time-limit.js'

/**
 * Calls a hook and returns its result, unchecked. A hook that exceeds the limit counts as
 * failed, and its later result is ignored. Its signal is created on first access.
 */
export function runHook<Context extends { readonly event: HookEvent }, Result>(
  limit: TimeLimit,
  context: Context,
  hook: (context: Context & ReadOptions) => Result | Promise<Result>,
): Promise<Result> {
  return limit.run<Result>({
    start: (call) =>
      hook({
        ...context,
        get signal() {
          return call.signal
        },
      }),
    timeoutError: () => limit.exceeded(`The hook ${context.event.type}`),
  })
}
