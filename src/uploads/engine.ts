import type { Feature } from '../features.js'
import type { Logger } from '../logger.js'
import type { UnplacedUpload } from '../upload.js'
import type { Stores } from './stores/bounded-stores.js'
import type { EventDeliveries } from './hooks/event-deliveries.js'
import type { EventQueue } from './hooks/event-queue.js'
import type { HookLists } from './hooks/hook-lists.js'
import type { Exchange } from './exchange.js'
import type { Holder } from './lock/holder.js'
import { isRejection } from './record/rejection.js'
import type { Lifecycles } from './stores/lifecycles.js'
import type { OpenContents } from './stores/open-contents.js'
import type { TimeLimit } from './stores/time-limit.js'

/** Everything that operations share: stores, settings, and the holders of locks. */
export interface Engine {
  readonly stores: Stores
  readonly features: ReadonlySet<Feature>
  readonly hooks: HookLists
  readonly log: Logger
  readonly settings: EngineSettings
  /** The locks that are held in this process, by upload id. */
  readonly holders: Map<string, Holder>
  /** Whether other processes may hold locks, because the application chose the locker. */
  readonly sharesLocks: boolean
  readonly events: EventQueue
  /** Delivers the events of the outbox, if there is one. */
  deliveries: EventDeliveries | undefined
  /** How long hooks may take. */
  readonly hookLimit: TimeLimit
  /** How long `preFinish` may take. */
  readonly preFinishLimit: TimeLimit
  /** Requests without a response yet, and work that continues after it. A stop waits for them. */
  readonly background: Set<Promise<unknown>>
  /** The contents that are being read. */
  readonly contents: OpenContents
  /** The objects that the handler opens and closes. */
  readonly lifecycles: Lifecycles
  /** Whether bytes that come in are refused because the server stops. */
  stopping: boolean
  /** Whether everything is refused because the handler is closed. */
  closed: boolean
}

/** Times in milliseconds, sizes in bytes; {@link HandlerOptions} says what each means. */
export interface EngineSettings {
  maxSize(exchange: Exchange, upload: UnplacedUpload | undefined): Promise<number>
  generateId(exchange: Exchange): Promise<{ readonly id: string; readonly random: boolean }>
  readonly expireAfter: number | undefined
  readonly finishedAfter: number | undefined
  readonly takeoverAfter: number
  readonly lockTimeout: number
  readonly settleTimeout: number
  readonly idleTimeout: number
  readonly flushTimeout: number
  readonly storeTimeout: number
  readonly finishTimeout: number
  readonly verdictRetention: number
  readonly progressInterval: number
  readonly minSize: number
  readonly minAppendSize: number
  readonly maxAppendSize: number
  readonly maxPartials: number
  readonly maxFinals: number
}

/** Lets `work` continue in the background. Logs a failure, unless it is a recorded rejection. */
export function inBackground(engine: Engine, what: string, work: Promise<unknown>): void {
  const watched = work
    .catch((error: unknown) => {
      if (!isRejection(error)) engine.log.error(`${what} failed`, { error })
    })
    .finally(() => engine.background.delete(watched))
  engine.background.add(watched)
}

/** Returns a time in the future, formatted as in records. */
export function isoTime(millisecondsFromNow: number): string {
  return new Date(Date.now() + millisecondsFromNow).toISOString()
}
