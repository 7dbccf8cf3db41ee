import { addAbortSignal, Readable } from 'node:stream'
import type { Concatenator } from '../../capabilities/concatenator.js'
import type { ContentReader } from '../../capabilities/content-reader.js'
import type { DataStore } from '../../capabilities/data-store.js'
import type { ExpiryIndex } from '../../capabilities/expiry-index.js'
import type { Finisher } from '../../capabilities/finisher.js'
import type { InfoLister } from '../../capabilities/info-lister.js'
import type { InfoStore } from '../../capabilities/info-store.js'
import type { Lock, Locker } from '../../capabilities/locker.js'
import type { CreateOptions, ReadOptions } from '../../capabilities/call-options.js'
import type { Terminator } from '../../capabilities/terminator.js'
import type { VerifiedAppender } from '../../capabilities/verified-appender.js'
import { isTusError, TusError } from '../../errors.js'
import type { StoreSlots } from '../../store-composer.js'
import type { Upload } from '../../upload.js'
import type { OpenContents } from './open-contents.js'
import { StoreCalls, type Bounds } from './store-calls.js'
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
export interface Stores extends Omit<
  FilledSlots,
  'infoStore' | 'terminator' | 'locker' | 'lifecycles'
> {
  readonly infoStore: BoundedInfoStore
  readonly terminator: BoundedTerminator | undefined
  readonly locker: BoundedLocker
  /** Opens the objects of the handler that are not open. */
  open(): Promise<void>
}

/**
 * Wraps the stores of a composer so that each small call is limited in time: all but `append`,
 * which has its own limit, and `finish` and `concatenate`, which may take a long time. At the
 * limit, the call's signal aborts and the caller gets `ERR_STORAGE_UNAVAILABLE`, whether the store
 * heeds the signal or not. A change that is still in progress then keeps the lock of its upload
 * until it settles. Scans of all records get more time for each step.
 *
 * Before the first call, opens the objects of the handler, which takes at most as long as a call.
 * `contents` gets each stream that is opened.
 */
export function boundedStores(
  { lifecycles: _, ...slots }: FilledSlots,
  bounds: Bounds,
  contents: OpenContents,
): Stores {
  const calls = new StoreCalls(bounds)
  const { dataStore, finisher, verifiedAppender, terminator, concatenator, contentReader } = slots
  const { infoStore, expiryIndex, infoLister, locker } = slots
  return {
    ...slots,
    open: () => calls.open(),
    dataStore: boundedDataStore(dataStore, calls),
    infoStore: boundedInfoStore(infoStore, calls),
    terminator: terminator && boundedTerminator(terminator, calls),
    ...(finisher && { finisher: openedFinisher(finisher, calls) }),
    ...(verifiedAppender && { verifiedAppender: openedAppender(verifiedAppender, calls) }),
    ...(concatenator && { concatenator: openedConcatenator(concatenator, calls) }),
    ...(contentReader && { contentReader: boundedReader(contentReader, calls, contents) }),
    locker: boundedLocker(locker, calls),
    ...(expiryIndex && { expiryIndex: boundedIndex(expiryIndex, calls) }),
    ...(infoLister && { infoLister: boundedLister(infoLister, calls) }),
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
    append: (upload, from, body, options) =>
      calls.whenOpen(() => dataStore.append(upload, from, body, options)),
  }
}

function openedFinisher(finisher: Finisher, calls: StoreCalls): Finisher {
  return {
    finish: (upload, from, options) => calls.whenOpen(() => finisher.finish(upload, from, options)),
  }
}

function openedAppender(appender: VerifiedAppender, calls: StoreCalls): VerifiedAppender {
  return {
    appendVerified: (upload, from, body, accept, options) =>
      calls.whenOpen(() => appender.appendVerified(upload, from, body, accept, options)),
  }
}

function openedConcatenator(concatenator: Concatenator, calls: StoreCalls): Concatenator {
  return {
    concatenate: (final, partials, options) =>
      calls.whenOpen(() => concatenator.concatenate(final, partials, options)),
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
 * Limits the time to open the content. Once open, it is destroyed when the reader's signal aborts,
 * so a store need not heed the signal after it has opened it.
 */
function boundedReader(
  reader: ContentReader,
  calls: StoreCalls,
  contents: OpenContents,
): ContentReader {
  const discard = (content: Readable | object) =>
    // It may have failed already, and nothing else listens for that error.
    content instanceof Readable && content.on('error', () => {}).destroy()
  return {
    async read(upload, range, source) {
      const { signal } = source
      signal.throwIfAborted()
      const start = (call: ReadOptions) => reader.read(upload, range, call)
      const content = await ofRecorded(
        calls.read('contentReader.read', upload.id, start, source, discard),
      )
      if (signal.aborted) {
        discard(content)
        throw signal.reason
      }
      if (content instanceof Readable) contents.add(addAbortSignal(signal, content))
      return content
    },
  }
}

/** Limits the wait for a lock by the caller's signal, even if the locker ignores it. */
function boundedLocker(locker: Locker, calls: StoreCalls): BoundedLocker {
  return {
    acquire: (id, options) =>
      calls.whenOpen(() =>
        unlessAborted(options.signal, locker.acquire(id, options), (lock) => lock.release()),
      ),
    settle: (id, options) =>
      calls.whenOpen(() => unlessAborted(options.signal, locker.settle(id, options))),
    // Even after a close, because other handlers may use the locker.
    release: (id, lock) => calls.read('lock.release', id, () => lock.release()),
  }
}
