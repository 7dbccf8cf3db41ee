import type { DataStore } from './capabilities/data-store.js'
import type { Locker } from './capabilities/locker.js'
import type { HookBackend } from './hook-backend.js'
import type { HookType } from './hooks.js'
import { hooksOfBackend, hasLifecycle, isHookBackend } from './hooks-of-backend.js'
import { featuresOf } from './features.js'
import { defaultLogger, forgiving } from './logger.js'
import { MemoryLocker } from './lockers/memory-locker.js'
import { checkStores, engineSettings, type CheckedHandlerOptions } from './settings.js'
import type { Engine } from './uploads/engine.js'
import { Deliveries } from './uploads/hooks/deliveries.js'
import { EventQueue } from './uploads/hooks/event-queue.js'
import { hookLists } from './uploads/hooks/hook-lists.js'
import type { Holder } from './uploads/lock/holder.js'
import { boundedStores } from './uploads/stores/bounded-stores.js'
import { Lifecycles } from './uploads/stores/lifecycles.js'
import { OpenContents } from './uploads/stores/open-contents.js'
import { TimeLimit } from './uploads/stores/time-limit.js'

/** Default lockers. Handlers that share a store must share its locks. */
const defaultLockers = new WeakMap<DataStore, Locker>()

function defaultLocker(dataStore: DataStore): Locker {
  const locker = defaultLockers.get(dataStore) ?? new MemoryLocker()
  defaultLockers.set(dataStore, locker)
  return locker
}

/** Returns whether an event is only reported, so that nothing waits for a decision. */
function isPast(type: HookType): boolean {
  return type.startsWith('post-')
}

/** Creates the engine of a handler from its checked options. */
export function createEngine(options: CheckedHandlerOptions): Engine {
  const slots = options.composer.slots()
  const stores = checkStores(slots, options)
  const hookLimit = new TimeLimit(options.hookTimeout ?? 30_000)
  const settings = engineSettings(options, stores, hookLimit)
  const log = forgiving(options.logger ?? defaultLogger)
  const holders = new Map<string, Holder>()
  const locker = slots.locker ?? defaultLocker(stores.dataStore)
  const { outbox, outboxRetention: giveUpAfter = 86_400_000 } = options
  const backends = options.hooks.filter(isHookBackend)
  // While such a backend is down, the outbox keeps what it needs to get.
  const canWait = ({ events }: HookBackend) => outbox !== undefined && events.every(isPast)
  const objects = [...backends.filter((one) => !canWait(one)), ...(outbox ? [outbox] : [])]
  const lifecycles = new Lifecycles(
    [...(slots.lifecycles ?? []), ...objects.filter(hasLifecycle)],
    backends.filter(canWait).filter(hasLifecycle),
  )
  const contents = new OpenContents()
  const bounds = {
    storeTimeout: settings.storeTimeout,
    log,
    lifecycles,
    onHang: (id: string, work: Promise<unknown>) => holders.get(id)?.hang(work),
  }
  const engine: Engine = {
    stores: boundedStores({ ...stores, locker }, bounds, contents),
    features: featuresOf(slots, options.expiration?.after !== undefined, options.disable ?? []),
    hooks: hookLists(options.hooks.map((one) => (isHookBackend(one) ? hooksOfBackend(one) : one))),
    log,
    settings,
    holders,
    sharesLocks: slots.locker !== undefined,
    events: new EventQueue(),
    deliveries: undefined,
    hookLimit,
    preFinishLimit: new TimeLimit(options.preFinishTimeout ?? Infinity),
    background: new Set(),
    contents,
    lifecycles,
    stopping: false,
    closed: false,
  }
  if (outbox !== undefined) engine.deliveries = new Deliveries(engine, outbox, giveUpAfter)
  return engine
}
