import { Readable } from 'node:stream'
import type { ContentReader } from '../../capabilities/content-reader.js'
import type { DataStore } from '../../capabilities/data-store.js'
import type { ExpiryIndex } from '../../capabilities/expiry-index.js'
import type { InfoLister } from '../../capabilities/info-lister.js'
import type { InfoStore } from '../../capabilities/info-store.js'
import type { Lock, Locker } from '../../capabilities/locker.js'
import type { CreateOptions, ReadOptions } from '../../capabilities/call-options.js'
import type { Terminator } from '../../capabilities/terminator.js'
import { isTusError, TusError } from '../../errors.js'
import type { Logger } from '../../logger.js'
import type { StoreSlots } from '../../store-composer.js'
import type { Upload } from '../../upload.js'
import { boundedScan } from './bounded-scan.js'
import { TimeLimit } from './time-limit.js'
import { unlessAborted } from '../../unless-aborted.js'

/** The slots of a composer whose required ones are known to be filled. */
export type FilledSlots = Readonly<StoreSlots> &
  Required<Pick<StoreSlots, 'dataStore' | 'infoStore' | 'locker'>>

/** An info store whose calls end in time; callers pass no signal. */
export interface BoundedInfoStore {
  create(upload: Upload): Promise<void>
  get(id: string): Promise<Upload | undefined>
  update(upload: Upload): Promise<void>
  delete(id: string): Promise<void>
}

/** A terminator whose calls end in time. */
export interface BoundedTerminator {
  terminate(upload: Upload, options: CreateOptions): Promise<void>
}

/** A locker that also releases locks in time. */
export interface BoundedLocker extends Locker {
  release(id: string, lock: Lock): Promise<void>
}

/** The stores as operations call them. */
export interface Stores extends Omit<FilledSlots, 'infoStore' | 'terminator' | 'locker'> {
  readonly infoStore: BoundedInfoStore
  readonly terminator: BoundedTerminator | undefined
  readonly locker: BoundedLocker
}

/** The time limit of the calls, and the callback for calls that exceed it. */
export interface Bounds {
  /** How long a call may take, in milliseconds. */
  readonly storeTimeout: number
  readonly log: Logger
  /** Called when a change of an upload exceeds the limit, with the call that may still settle. */
  readonly onHang: (id: string, work: Promise<unknown>) => void
}

/**
 * Wraps the stores of a composer so that each small call is limited in time: all but `append`,
 * which has its own limit, and `finish` and `concatenate`, which may take a long time. At the
 * limit, the call's signal aborts and the caller gets `ERR_STORAGE_UNAVAILABLE`, whether the store
 * heeds the signal or not. A change that is still in progress then keeps the lock of its upload
 * until it settles. Scans of all records get more time for each step.
 */
export function boundedStores(slots: FilledSlots, bounds: Bounds): Stores {
  const calls = new StoreCalls(bounds)
  const { dataStore, infoStore, terminator, contentReader, locker, expiryIndex, infoLister } = slots
  return {
    ...slots,
    dataStore: boundedDataStore(dataStore, calls),
    infoStore: boundedInfoStore(infoStore, calls),
    terminator: terminator && boundedTerminator(terminator, calls),
    ...(contentReader && { contentReader: boundedReader(contentReader, calls) }),
    locker: boundedLocker(locker, calls),
    ...(expiryIndex && { expiryIndex: boundedIndex(expiryIndex, calls) }),
    ...(infoLister && { infoLister: boundedLister(infoLister, calls) }),
  }
}

/**
 * A scan's next id may take this many times as long as other calls, because the store may have to
 * read all records before the scan ends.
 */
const scanPatience = 240

type Start<T> = (options: ReadOptions) => Promise<T>

/** Runs the calls of stores, named for the log. */
class StoreCalls {
  readonly #bounds: Bounds
  readonly #limit: TimeLimit
  readonly #scanLimit: TimeLimit

  constructor(bounds: Bounds) {
    this.#bounds = bounds
    this.#limit = new TimeLimit(bounds.storeTimeout)
    this.#scanLimit = new TimeLimit(bounds.storeTimeout * scanPatience)
  }

  /** Runs a call that changes nothing. `undo` gets a late result. */
  read<T>(
    name: string,
    id: string,
    start: Start<T>,
    source?: ReadOptions,
    undo?: (late: T) => unknown,
  ): Promise<T> {
    const timeoutError = (work: Promise<T>) => {
      if (undo !== undefined) void work.then(undo).catch(() => {})
      return this.#unavailable(name, id)
    }
    return this.#limit.run({ start, timeoutError, source })
  }

  /** Runs a call that changes something. */
  change(name: string, id: string, start: Start<void>, source?: ReadOptions): Promise<void> {
    const timeoutError = (work: Promise<void>) => {
      this.#bounds.onHang(id, work)
      return this.#unavailable(name, id)
    }
    return this.#limit.run({ start, timeoutError, source })
  }

  /** Yields the ids that a store finds. */
  scan(
    name: string,
    start: (options: ReadOptions) => AsyncIterable<string>,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const timeoutError = () => this.#unavailable(name, undefined, this.#scanLimit)
    return boundedScan(this.#scanLimit, start, timeoutError, signal)
  }

  #unavailable(call: string, uploadId: string | undefined, limit = this.#limit): TusError {
    const { log, storeTimeout } = this.#bounds
    log.error('A store does not respond', { call, ...(uploadId && { uploadId }), storeTimeout })
    return new TusError('ERR_STORAGE_UNAVAILABLE', { cause: limit.exceeded(call) })
  }
}

function boundedDataStore(dataStore: DataStore, calls: StoreCalls): DataStore {
  return {
    get maxSize() {
      return dataStore.maxSize
    },
    locate: (upload) => dataStore.locate(upload),
    create: (upload, options) =>
      calls.change(
        'dataStore.create',
        upload.id,
        (call) => dataStore.create(upload, following(call, options)),
        options,
      ),
    stat: (upload, options) => {
      const start = (call: ReadOptions) => dataStore.stat(upload, call)
      return ofRecorded(calls.read('dataStore.stat', upload.id, start, options))
    },
    append: (upload, from, body, options) => dataStore.append(upload, from, body, options),
  }
}

function boundedInfoStore(infoStore: InfoStore, calls: StoreCalls): BoundedInfoStore {
  return {
    create: (upload) =>
      calls.change('infoStore.create', upload.id, (call) => infoStore.create(upload, call)),
    get: (id) => calls.read('infoStore.get', id, (call) => infoStore.get(id, call)),
    update: (upload) =>
      calls.change('infoStore.update', upload.id, (call) => infoStore.update(upload, call)),
    delete: (id) => calls.change('infoStore.delete', id, (call) => infoStore.delete(id, call)),
  }
}

function boundedTerminator(terminator: Terminator, calls: StoreCalls): BoundedTerminator {
  return {
    terminate: (upload, options) => {
      const start = (call: ReadOptions) => terminator.terminate(upload, following(call, options))
      return ofRecorded(calls.change('terminator.terminate', upload.id, start, options))
    },
  }
}

/**
 * Runs a call for an upload that has a record. An error that would refuse a creation becomes
 * internal: it only shows that another store, or one with other options, chose the recorded place.
 */
async function ofRecorded<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    if (!isTusError(cause) || cause.status !== 422) throw cause
    throw new TusError('ERR_INTERNAL', { cause })
  }
}

function boundedIndex(index: ExpiryIndex, calls: StoreCalls): ExpiryIndex {
  return {
    expired: (now, { signal }) =>
      calls.scan('expiryIndex.expired', (scan) => index.expired(now, scan), signal),
  }
}

function boundedLister(lister: InfoLister, calls: StoreCalls): InfoLister {
  return {
    ids: ({ signal, ...options }) =>
      calls.scan('infoLister.ids', (scan) => lister.ids({ ...options, ...scan }), signal),
  }
}

/** Returns the same options with the signal of a call, which aborts when theirs does. */
function following(
  call: ReadOptions,
  { fence, saveSecret, incoming }: CreateOptions,
): CreateOptions {
  return {
    get signal() {
      return call.signal
    },
    fence,
    saveSecret,
    incoming,
  }
}

/**
 * Limits the time to open the content. Once open, it follows the reader's signal for as long as the
 * download takes.
 */
function boundedReader(reader: ContentReader, calls: StoreCalls): ContentReader {
  return {
    async read(upload, range, { signal }) {
      signal.throwIfAborted()
      const controller = new AbortController()
      const onAbort = () => controller.abort(signal.reason)
      const forget = () => signal.removeEventListener('abort', onAbort)
      signal.addEventListener('abort', onAbort, { once: true })
      const open = () => reader.read(upload, range, { signal: controller.signal })
      const discard = (content: Readable | object) =>
        // The signal may have failed it already, and nothing else listens for that error.
        content instanceof Readable && content.on('error', () => {}).destroy()
      try {
        const content = await ofRecorded(
          calls.read('contentReader.read', upload.id, open, undefined, discard),
        )
        if (signal.aborted) {
          discard(content)
          throw signal.reason
        }
        if (content instanceof Readable) content.once('close', forget)
        else forget()
        return content
      } catch (error) {
        forget()
        controller.abort(error)
        throw error
      }
    },
  }
}

/** Limits the wait for a lock by the caller's signal, even if the locker ignores it. */
function boundedLocker(locker: Locker, calls: StoreCalls): BoundedLocker {
  return {
    acquire: (id, options) =>
      unlessAborted(options.signal, locker.acquire(id, options), (lock) => lock.release()),
    settle: (id, options) => unlessAborted(options.signal, locker.settle(id, options)),
    release: (id, lock) => calls.read('lock.release', id, () => lock.release()),
  }
}
