import type { IncomingMessage } from 'node:http'
import { inspect } from 'node:util'
import type { HookOutbox, OutboxEntry } from '../../hook-outbox.js'
import { neverAborts } from '../../never-aborts.js'
import type { Engine } from '../engine.js'
import { settleLock } from '../lock/settle-lock.js'
import { withUploadLock } from '../lock/with-upload-lock.js'
import { statIfThere } from '../stores/stat-upload.js'
import type { EventDeliveries } from './event-deliveries.js'
import { hookEvent } from './hook-event.js'
import { listeners, type Fact } from './listeners.js'
import { runHook } from './run-hook.js'

/**
 * How often other entries are looked for, of processes that were killed, and how soon if that
 * fails. In milliseconds.
 */
const [scanEvery, scanAgainAfter] = [60_000, 2_000]
/** The longest waits before the second attempt, and before any. In milliseconds. */
const [firstDelay, longestDelay] = [1_000, 300_000]

const always = { signal: neverAborts }

/**
 * Delivers the events of an outbox to hooks, until they have taken them. Those of one upload are
 * delivered in order, by one process at a time.
 *
 * An entry is stored before the record changes. So after a crash, the record decides whether its
 * event has happened.
 */
export class Deliveries implements EventDeliveries {
  readonly #engine: Engine
  readonly #outbox: HookOutbox
  readonly #giveUpAfter: number
  /** The events of this process that are not to be delivered yet, by id. */
  readonly #pending = new Set<string>()
  /** The requests of events before their first delivery, by the id of the event. */
  readonly #requests = new Map<string, IncomingMessage>()
  /** The hooks that have taken an event, by the id of the event. */
  readonly #taken = new Map<string, Set<unknown>>()
  readonly #failures = new Map<string, number>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  /** Deliveries in progress, by the id of the upload. */
  readonly #running = new Map<string, Promise<void>>()
  #scanner: NodeJS.Timeout | undefined
  #stopped = false

  constructor(engine: Engine, outbox: HookOutbox, giveUpAfter: number) {
    this.#engine = engine
    this.#outbox = outbox
    this.#giveUpAfter = giveUpAfter
    setImmediate(() => void this.#scan())
  }

  async announce(entry: OutboxEntry): Promise<void> {
    this.#pending.add(entry.event.id)
    await this.#outbox.put(entry, always)
  }

  doubt(uploadId: string, facts: readonly Fact[]): void {
    for (const { type } of facts) this.#pending.delete(hookEvent(uploadId, type).id)
    this.#wake(uploadId)
  }

  async withdraw(entry: OutboxEntry): Promise<void> {
    await this.#outbox.delete(entry, always)
  }

  async confirm(entry: OutboxEntry): Promise<void> {
    try {
      await this.#outbox.put({ ...entry, happened: true }, always)
    } catch (error) {
      // The record says so, too.
      const fields = { uploadId: entry.upload.id, error }
      this.#engine.log.error('The outbox cannot be written', fields)
    }
  }

  happened(uploadId: string, eventId: string, request: IncomingMessage | undefined): void {
    if (request !== undefined) this.#requests.set(eventId, request)
    this.#pending.delete(eventId)
    this.#wake(uploadId)
  }

  async caughtUp(uploadId: string): Promise<boolean> {
    return (await this.#outbox.get(uploadId, always)).length === 0
  }

  /** Delivers the events of an upload soon, or finds out whether they have happened. */
  #wake(uploadId: string, delay = 0): void {
    if (this.#stopped) return
    clearTimeout(this.#timers.get(uploadId))
    const run = () => {
      this.#timers.delete(uploadId)
      // Those that are stored meanwhile come after those in progress.
      const before = this.#running.get(uploadId) ?? Promise.resolve()
      const running = before.then(() => this.#deliverAll(uploadId))
      this.#running.set(uploadId, running)
      void running.then(() => {
        if (this.#running.get(uploadId) === running) this.#running.delete(uploadId)
      })
    }
    if (delay === 0) run()
    else this.#timers.set(uploadId, setTimeout(run, delay).unref())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#scanner)
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    await Promise.all(this.#running.values())
  }

  async #scan(): Promise<void> {
    let next = scanEvery
    try {
      await this.#open()
      for await (const id of this.#outbox.uploadIds(always)) {
        if (!this.#running.has(id) && !this.#timers.has(id)) this.#wake(id)
      }
    } catch (error) {
      this.#engine.log.error('The outbox cannot be read', { error })
      next = scanAgainAfter
    }
    if (!this.#stopped) this.#scanner = setTimeout(() => void this.#scan(), next).unref()
  }

  #open(): Promise<void> {
    return this.#engine.stores.open()
  }

  /** Never rejects. */
  async #deliverAll(uploadId: string): Promise<void> {
    if (this.#stopped) return
    try {
      const isDone = await this.#locked(uploadId, async (held) => {
        for (const entry of await this.#outbox.get(uploadId, always)) {
          if (this.#stopped || !held()) return false
          if (!(await this.#settle(entry))) return false
        }
        return true
      })
      if (isDone) return void this.#failures.delete(uploadId)
    } catch (error) {
      this.#engine.log.error('Events could not be delivered', { uploadId, error })
    }
    const failures = (this.#failures.get(uploadId) ?? 0) + 1
    this.#failures.set(uploadId, failures)
    const longest = Math.min(firstDelay * 2 ** (failures - 1), longestDelay)
    this.#wake(uploadId, (0.5 + Math.random() / 2) * longest)
  }

  /** Runs work while no other process delivers events of the upload. */
  async #locked(
    uploadId: string,
    work: (held: () => boolean) => Promise<boolean>,
  ): Promise<boolean> {
    const { locker } = this.#engine.stores
    const id = `${uploadId.slice(0, 120)}~hooks`
    const signal = AbortSignal.timeout(this.#engine.settings.lockTimeout)
    const lock = await locker
      .acquire(id, { signal, requestRelease: () => false })
      .catch((error: unknown) => {
        // Another process delivers them.
        if (signal.aborted) return undefined
        throw error
      })
    if (lock === undefined) return false
    try {
      return await work(() => lock.held())
    } finally {
      await locker.release(id, lock)
    }
  }

  /** Returns whether the entry is done with: delivered, given up, or about nothing. */
  async #settle(entry: OutboxEntry): Promise<boolean> {
    if (this.#pending.has(entry.event.id)) return false
    const settled = entry.happened ? entry : await this.#judge(entry)
    if (settled === undefined) return false
    if (settled !== 'nothing') {
      if (!(await this.#deliver(settled))) return false
      await this.#outbox.delete(settled, always)
    }
    this.#requests.delete(entry.event.id)
    this.#taken.delete(entry.event.id)
    return true
  }

  /**
   * Finds out whether an event has happened, under the lock of the upload: then its record does not
   * change. Returns the entry as it is stored by now, or `nothing` after removing that of an event
   * that has not happened. Returns `undefined` while another holder has the lock.
   */
  async #judge({
    event,
    upload: { id },
  }: OutboxEntry): Promise<OutboxEntry | 'nothing' | undefined> {
    const { settleTimeout, lockTimeout: milliseconds } = this.#engine.settings
    if (this.#engine.holders.has(id)) return undefined
    if ((await settleLock(this.#engine, id, settleTimeout)) !== 'free') return undefined
    const judge = async () => {
      const entries = await this.#outbox.get(id, always)
      const entry = entries.find((one) => one.event.id === event.id)
      if (entry === undefined) return 'nothing'
      // Meanwhile, a request has made it happen.
      if (this.#pending.has(event.id)) return undefined
      // Later events are announced only after this one has happened.
      const isLast = entries.at(-1) === entry
      if (entry.happened || !isLast || (await this.#isRecorded(entry))) return entry
      // Without the lock, this could remove the entry of a request that now makes it happen.
      await this.#outbox.delete(entry, always)
      return 'nothing'
    }
    const wait = { milliseconds, errorCode: 'ERR_UPLOAD_LOCKED' } as const
    return withUploadLock(this.#engine, id, judge, wait)
  }

  async #isRecorded({ event, upload }: OutboxEntry): Promise<boolean> {
    const record = await this.#engine.stores.infoStore.get(upload.id)
    const state = record?.state
    switch (event.type) {
      case 'post-create':
        // A creation that was cut off leaves a record without data.
        if (record === undefined || state?.kind !== 'open') return record !== undefined
        return (await statIfThere(this.#engine, record)) !== undefined
      case 'post-finish':
        // The entry of an upload that is removed before it is finished is withdrawn. So if the
        // record is gone, too, the upload was finished.
        return state === undefined || state.kind === 'finished' || state.kind === 'gone'
      case 'post-terminate':
        // The record may be gone, too.
        return state === undefined || (state.kind === 'gone' && state.cause === 'terminated')
    }
  }

  /** Returns whether all hooks have taken the event, or no more attempts are made. */
  async #deliver(entry: OutboxEntry): Promise<boolean> {
    const { event, upload, offset, storedAt } = entry
    const { hooks, hookLimit, log } = this.#engine
    const taken = this.#taken.get(event.id) ?? new Set()
    this.#taken.set(event.id, taken)
    const request = this.#requests.get(event.id)
    // It would be kept in memory until the last attempt.
    this.#requests.delete(event.id)
    const context = { event, upload, offset, request, requestData: entry.request }
    let failure: unknown
    for (const hook of hooks[listeners[event.type]]) {
      if (taken.has(hook)) continue
      try {
        await runHook(hookLimit, context, hook)
        taken.add(hook)
      } catch (error) {
        failure = error
        log.error(`The hook ${event.type} failed`, { uploadId: upload.id, error })
      }
    }
    if (failure === undefined) return true
    if (Date.now() - Date.parse(storedAt) < this.#giveUpAfter) return false
    log.error(`The hook ${event.type} is given up`, { uploadId: upload.id, error: failure })
    await this.#outbox.giveUp(entry, inspect(failure), always)
    return true
  }
}
