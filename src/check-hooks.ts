import { checkOptions, must, type OptionOwner, type OptionRule } from './check-options.js'
import type { Lifecycle } from './capabilities/lifecycle.js'
import type { HandlerOptions } from './handler-options.js'
import type { HookBackend } from './hook-backend.js'
import type { HookOutbox } from './hook-outbox.js'
import { hookTypes, type Hooks } from './hooks.js'
import { hasLifecycle, isHookBackend } from './hooks-of-backend.js'
import { namesElsewhere } from './names-elsewhere.js'
import { SharedLifecycle } from './shared-lifecycle.js'

const owner: OptionOwner = { name: 'createHandler', otherNames: namesElsewhere }

/** The rule of the option `hooks`. */
export const beHooks: OptionRule = {
  expectation: 'an object of hooks, a backend of hooks, or an array of these',
  accepts: (v) => (Array.isArray(v) ? v : [v]).every(must.beObject.accepts),
}

/** The rule of the option `outbox`. */
export const beOutbox: OptionRule = {
  expectation: 'a HookOutbox, such as new FileOutbox(…)',
  accepts: (v) =>
    (['put', 'get', 'delete', 'giveUp', 'uploadIds'] as const).every(
      (method) => typeof (v as Partial<HookOutbox> | null)?.[method] === 'function',
    ),
}

type HooksOption = NonNullable<HandlerOptions['hooks']>

/**
 * Returns the items of the option. Hooks are bound to their object: they may be methods of a class.
 */
export function checkHooks(given: HooksOption): readonly (Hooks | HookBackend)[] {
  const hook = must.beFunction
  const rules = {
    access: hook,
    preCreate: hook,
    postCreate: hook,
    postReceive: hook,
    preFinish: hook,
    postFinish: hook,
    preTerminate: hook,
    postTerminate: hook,
  }
  const checkOne = (one: Hooks | HookBackend, within: string): Hooks | HookBackend => {
    if (isHookBackend(one)) return checkBackend(one, within)
    const hooks = checkOptions<Hooks>({ ...owner, within }, one, rules)
    const bound = Object.entries<Function>(hooks).map(([name, call]) => [name, call.bind(one)])
    return Object.fromEntries(bound) as Hooks
  }
  if (!isList(given)) return [checkOne(given, 'hooks')]
  return given.map((one, index) => checkOne(one, `hooks[${index}]`))
}

/** Returns a backend whose members are right. */
function checkBackend(backend: HookBackend, within: string): HookBackend {
  const { events, call, open, close } = backend
  const beLifecycle = { ...must.beFunction, required: open !== undefined || close !== undefined }
  checkOptions<HookBackend>({ ...owner, within }, { events, call, open, close } as HookBackend, {
    events: { ...must.beListOf(...hookTypes), required: true },
    call: { ...must.beFunction, required: true },
    open: beLifecycle,
    close: beLifecycle,
  })
  if (hasLifecycle(backend)) refuseClosed(`option '${within}'`, backend)
  return backend
}

/** Like `Array.isArray`, for arrays that are readonly. */
const isList: (value: unknown) => value is readonly unknown[] = Array.isArray

/** Throws a `TypeError` if an object has been closed: it cannot be opened again. */
export function refuseClosed(owner: string, object: Lifecycle): void {
  if (!SharedLifecycle.of(object).isClosed) return
  const { name } = object.constructor
  throw new TypeError(
    `createHandler: ${owner} has an object (${name}) that has been closed; create a new one`,
  )
}
