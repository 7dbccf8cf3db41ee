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
import { optionError } from './check-options.js'

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

/** A store, locker or other part that fills the slots it can. {@link StoreComposer.use} takes it. */
export interface ComposerPart {
  useIn(composer: StoreComposer): unknown
}

/** What each capability must have. */
const members: {
  readonly [Slot in keyof StoreSlots]-?: readonly (keyof NonNullable<StoreSlots[Slot]>)[]
} = {
  dataStore: ['maxSize', 'locate', 'create', 'stat', 'append'],
  finisher: ['finish'],
  verifiedAppender: ['appendVerified'],
  terminator: ['terminate'],
  concatenator: ['concatenate'],
  contentReader: ['read'],
  infoStore: ['create', 'get', 'update', 'delete'],
  expiryIndex: ['expired'],
  infoLister: ['ids'],
  locker: ['acquire', 'settle'],
}

/** Throws a `TypeError` that names the slot and the first member that is missing. */
function checkMembers(slot: keyof StoreSlots, value: unknown): void {
  const found = value as Readonly<Record<string, unknown>> | null | undefined
  for (const name of members[slot]) {
    const [kind, accepts] =
      name === 'maxSize'
        ? ['number', typeof found?.[name] === 'number' && found[name] > 0]
        : ['function', typeof found?.[name] === 'function']
    if (accepts) continue
    const expectation = `an object with the ${kind} '${name}'`
    throw optionError({ name: 'StoreComposer', noun: 'slot' }, slot, { expectation }, value)
  }
}

function checkPart(part: unknown, index: number): void {
  if (typeof (part as ComposerPart | null | undefined)?.useIn === 'function') return
  const owner = { name: 'StoreComposer.use', noun: 'argument' }
  const expectation = "an object with the function 'useIn'"
  throw optionError(owner, String(index + 1), { expectation }, part)
}

/**
 * Assembles the stores of a handler. Each store fills all the slots it can with `store.useIn(composer)`; the
 * methods here fill one. A later call replaces an earlier one. What lacks a member of its capability is refused with a
 * `TypeError`.
 *
 * @example
 * const composer = new StoreComposer().use(
 *   new FileStore({ directory: './uploads' }),
 *   new FileInfoStore({ directory: './uploads' }),
 * )
 * const handler = createHandler({ basePath: '/files', composer })
 */
export class StoreComposer {
  readonly #slots: StoreSlots = {}

  /**
   * Calls `useIn` of each part, in order. A later part replaces what an earlier one put into the same
   * slot. If a part has no `useIn`, throws a `TypeError` and fills nothing.
   */
  use(...parts: readonly ComposerPart[]): this {
    for (const [index, part] of parts.entries()) checkPart(part, index)
    for (const part of parts) part.useIn(this)
    return this
  }

  /** Required. */
  useDataStore(dataStore: DataStore): this {
    return this.#fill('dataStore', dataStore)
  }

  /** Absent: an upload is finished as soon as its bytes are stored. */
  useFinisher(finisher: Finisher): this {
    return this.#fill('finisher', finisher)
  }

  /** Absent: no checksum extension. */
  useVerifiedAppender(verifiedAppender: VerifiedAppender): this {
    return this.#fill('verifiedAppender', verifiedAppender)
  }

  /** Absent: no termination extension, and expired uploads are refused but not removed. */
  useTerminator(terminator: Terminator): this {
    return this.#fill('terminator', terminator)
  }

  /** Absent: no concatenation extension. */
  useConcatenator(concatenator: Concatenator): this {
    return this.#fill('concatenator', concatenator)
  }

  /** Absent: no downloads. */
  useContentReader(contentReader: ContentReader): this {
    return this.#fill('contentReader', contentReader)
  }

  /** Required. */
  useInfoStore(infoStore: InfoStore): this {
    return this.#fill('infoStore', infoStore)
  }

  /** Absent: uploads cannot be given an expiration. */
  useExpiryIndex(expiryIndex: ExpiryIndex): this {
    return this.#fill('expiryIndex', expiryIndex)
  }

  /** Absent: records cannot be listed. */
  useInfoLister(infoLister: InfoLister): this {
    return this.#fill('infoLister', infoLister)
  }

  /** Absent: a `MemoryLocker`, which is right for one process. */
  useLocker(locker: Locker): this {
    return this.#fill('locker', locker)
  }

  #fill<Slot extends keyof StoreSlots>(slot: Slot, value: Required<StoreSlots>[Slot]): this {
    checkMembers(slot, value)
    this.#slots[slot] = value
    return this
  }

  /** A frozen copy of the slots as they are now. */
  slots(): Readonly<StoreSlots> {
    return Object.freeze({ ...this.#slots })
  }
}
