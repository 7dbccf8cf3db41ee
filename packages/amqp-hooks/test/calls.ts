import type { HookCall, HookType } from 'tuskit'
import { onTestFinished } from 'vitest'
import { AmqpHooks, type AmqpHooksOptions } from '@tuskit/amqp-hooks'

/** Creates hooks, opens them, and closes them when the test ends. */
export async function openHooks(options: AmqpHooksOptions): Promise<AmqpHooks> {
  const hooks = new AmqpHooks(options)
  onTestFinished(() => hooks.close().catch(() => {}))
  await hooks.open()
  return hooks
}

/** An event of an upload. */
export function callOf(id: string, type: HookType = 'post-finish'): HookCall {
  return {
    event: { type, id: `${id}/${type}` },
    upload: {
      id,
      revision: 2,
      protocol: 'tus',
      length: 5,
      metadata: { raw: '', values: {} },
      createdAt: '2026-11-28T12:00:00.000Z',
      finish: 'recorded',
      state: { kind: 'finished', at: '2026-11-28T12:00:01.000Z' },
      storage: { kind: 'file', at: { path: id } },
    },
    offset: 5,
    request: undefined,
  }
}

/** Returns options of a call that nothing aborts. Each call has its own, as in a handler. */
export function always() {
  return { signal: new AbortController().signal }
}
