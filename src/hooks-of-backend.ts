import type { Lifecycle } from './capabilities/lifecycle.js'
import type { HookBackend, HookCall } from './hook-backend.js'
import type { AccessContext, HookContext, Hooks, HookType, PreCreateContext } from './hooks.js'
import { SharedLifecycle } from './shared-lifecycle.js'

/** The hook for each type of event. */
const hookNames = {
  access: 'access',
  'pre-create': 'preCreate',
  'post-create': 'postCreate',
  'post-receive': 'postReceive',
  'pre-finish': 'preFinish',
  'post-finish': 'postFinish',
  'pre-terminate': 'preTerminate',
  'post-terminate': 'postTerminate',
} as const satisfies Readonly<Record<HookType, keyof Hooks>>

type Context = AccessContext | PreCreateContext | HookContext

/** Returns whether an item of the option `hooks` is a backend. */
export function isHookBackend(item: Hooks | HookBackend): item is HookBackend {
  return 'call' in item
}

/** Returns hooks that pass their events to a backend, which is opened first. */
export function hooksOfBackend(backend: HookBackend): Hooks {
  const lifecycle = hasLifecycle(backend) ? SharedLifecycle.of(backend) : undefined
  const hook = async (context: Context) => {
    await lifecycle?.open()
    return backend.call(callOf(context), context)
  }
  return Object.fromEntries(backend.events.map((type) => [hookNames[type], hook]))
}

/** Returns whether an object has to be opened and closed. */
export function hasLifecycle<T extends Partial<Lifecycle>>(object: T): object is T & Lifecycle {
  return object.open !== undefined
}

function callOf(context: Context): HookCall {
  const { event, upload, requestData } = context
  return {
    event,
    upload,
    offset: 'offset' in context ? context.offset : 0,
    ...('action' in context && { action: context.action }),
    request: requestData,
  }
}
