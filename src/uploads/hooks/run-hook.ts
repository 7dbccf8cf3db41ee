import type { IncomingMessage } from 'node:http'
import { hookRequestOf, type HookRequest } from '../../hook-request.js'
import type { ReadOptions } from '../../capabilities/call-options.js'
import type { HookEvent } from '../../hooks.js'
import type { TimeLimit } from '../stores/time-limit.js'

/** The part of a context that every hook has, before the call. */
export interface Told {
  readonly event: HookEvent
  readonly request: IncomingMessage | undefined
  /** The request of an earlier attempt, which is gone. */
  readonly requestData?: HookRequest | undefined
}

/** The part of a context that is added for the call. */
export interface Called extends ReadOptions {
  readonly requestData: HookRequest | undefined
}

/**
 * Calls a hook and returns its result, unchecked. A hook that exceeds the limit counts as failed,
 * and its later result is ignored. Its signal and the plain request are created on first access.
 */
export function runHook<Context extends Told, Result>(
  limit: TimeLimit,
  context: Context,
  hook: (context: Context & Called) => Result | Promise<Result>,
): Promise<Result> {
  const { request, requestData } = context
  return limit.run<Result>({
    start: (call) =>
      hook({
        ...context,
        get requestData() {
          return requestData ?? (request && hookRequestOf(request))
        },
        get signal() {
          return call.signal
        },
      }),
    timeoutError: () => limit.exceeded(`The hook ${context.event.type}`),
  })
}
