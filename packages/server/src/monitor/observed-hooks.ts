import type { HookBackend } from 'tuskit'
import type { Metrics } from './metrics.js'

/** Counts and measures the calls of hooks. Has `open` and `close` if the backend has them. */
export function observedHooks(inner: HookBackend, metrics: Metrics): HookBackend {
  const { open, close } = inner
  return {
    events: inner.events,
    async call(call, options) {
      const hooktype = call.event.type
      metrics.hookInvocations.inc({ hooktype })
      const end = metrics.hookSeconds.startTimer({ hooktype })
      try {
        return await inner.call(call, options)
      } catch (error) {
        metrics.hookErrors.inc({ hooktype })
        throw error
      } finally {
        end()
      }
    },
    ...(open && { open: () => open.call(inner) }),
    ...(close && { close: () => close.call(inner) }),
  }
}
