import type { Concatenator } from './capabilities/concatenator.js'
import type { ContentReader } from './capabilities/content-reader.js'
import type { DataStore } from './capabilities/data-store.js'
import type { ExpiryIndex } from './capabilities/expiry-index.js'
import type { Finisher } from './capabilities/finisher.js'
import type { InfoLister } from './capabilities/info-lister.js'
import type { InfoStore } from './capabilities/info-store.js'
import type { Locker } from './capabilities/locker.js'
import type { Terminator } from './capabilities/terminator.js'
import type { VerifiedAppender } from './capabilities/verified-appender.js'

/** The capabilities that a handler works with. A slot that is absent is a feature that is not offered. */
export interface StoreSlots {
  dataStore?: DataStore
  finisher?: Finisher
  verifiedAppender?: VerifiedAppender
  terminator?: Terminator
  concatenator?: Concatenator
  contentReader?: ContentReader
  infoStore?: InfoStore
  expiryIndex?: ExpiryIndex
  infoLister?: InfoLister
  locker?: Locker
}

/**
 * Assembles the stores of a handler. Each store fills all the slots it can with `store.useIn(composer)`; the
 * methods here fill one. A later call replaces an earlier one.
 *
 * @example
 * const composer = new StoreComposer()
 * new FileStore({ directory: './uploads' }).useIn(composer)
 * new FileInfoStore({ directory: './uploads' }).useIn(composer)
 * const handler = createHandler({ basePath: '/files', composer })
 */
export class StoreComposer {
  readonly #slots: StoreSlots = {}

  /** Required. */
  useDataStore(dataStore: DataStore): this {
    this.#slots.dataStore = dataStore
    return this
  }

  /** Absent: an upload is finished as soon as its bytes are stored. */
  useFinisher(finisher: Finisher): this {
    this.#slots.finisher = finisher
    return this
  }

  /** Absent: no checksum extension. */
  useVerifiedAppender(verifiedAppender: VerifiedAppender): this {
    this.#slots.verifiedAppender = verifiedAppender
    return this
  }

  /** Absent: no termination extension, and expired uploads are refused but not removed. */
  useTerminator(terminator: Terminator): this {
    this.#slots.terminator = terminator
    return this
  }

  /** Absent: no concatenation extension. */
  useConcatenator(concatenator: Concatenator): this {
    this.#slots.concatenator = concatenator
    return this
  }

  /** Absent: no downloads. */
  useContentReader(contentReader: ContentReader): this {
    this.#slots.contentReader = contentReader
    return this
  }

  /** Required. */
  useInfoStore(infoStore: InfoStore): this {
    this.#slots.infoStore = infoStore
    return this
  }

  /** Absent: uploads cannot be given an expiration. */
  useExpiryIndex(expiryIndex: ExpiryIndex): this {
    this.#slots.expiryIndex = expiryIndex
    return this
  }

  /** Absent: records cannot be listed. */
  useInfoLister(infoLister: InfoLister): this {
    this.#slots.infoLister = infoLister
    return this
  }

  /** Absent: a `MemoryLocker`, which is right for one process. */
  useLocker(locker: Locker): this {
    this.#slots.locker = locker
    return this
  }

  /** A frozen copy of the slots as they are now. */
  slots(): Readonly<StoreSlots> {
    return Object.freeze({ ...this.#slots })
  }
}
