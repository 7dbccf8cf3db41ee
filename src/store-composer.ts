import type { Concatenator } from './capabilities/concatenator.js'
import type { ContentReader } from './capabilities/content-reader.js'
import type { DataStore } from './capabilities/data-store.js'
import type { ExpiryIndex } from './capabilities/expiry-index.js'
import type { Finisher } from './capabilities/finisher.js'
import type { InfoLister } from './capabilities/info-lister.js'
import type { InfoStore } from './capabilities/info-store.js'
import type { Lifecycle } from './capabilities/lifecycle.js'
import type { Locker } from './capabilities/locker.js'
import type { Terminator } from './capabilities/terminator.js'
import type { VerifiedAppender } from './capabilities/verified-appender.js'
import { optionError } from './check-options.js'

/**
 * The capabilities that a handler works with. An empty slot means that a feature is not offered.
 */
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
  /** The only slot that holds several objects. */
  lifecycles?: readonly Lifecycle[]
}

/**
 * A store, locker or other part that fills all slots that it can. Pass it to
 * {@link StoreComposer.use}.
 */
export interface ComposerPart {
  /** Fills the slots, with the methods of the composer. */
  useIn(composer: StoreComposer): unknown
}

/** The capabilities that fill the slots. */
type Capabilities = Required<Omit<StoreSlots, 'lifecycles'>> & { lifecycles: Lifecycle }

/** The members that each capability must have. */
const members: {
  readonly [Slot in keyof Capabilities]: readonly (keyof Capabilities[Slot])[]
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
  lifecycles: ['open', 'close'],
}

/** Throws a `TypeError` that names the slot and its first missing member. */
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
 * Assembles the stores of a handler. {@link StoreComposer.use} lets each part fill all slots that
 * it can; the other methods fill one slot. A later call replaces an earlier one, except for
 * {@link StoreComposer.useLifecycle}, which adds. Each method throws a `TypeError` if a member of
 * the capability is missing.
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
   * Calls `useIn` of each part, in order. If two parts fill the same slot, the later one stays. If
   * a part has no `useIn`, throws a `TypeError` and fills nothing.
   */
  use(...parts: readonly ComposerPart[]): this {
    for (const [index, part] of parts.entries()) checkPart(part, index)
    for (const part of parts) part.useIn(this)
    return this
  }

  /** Fills the slot for the bytes of uploads. Required. */
  useDataStore(dataStore: DataStore): this {
    return this.#fill('dataStore', dataStore)
  }

  /** Fills the slot for the last step of an upload. Empty: complete bytes need no further step. */
  useFinisher(finisher: Finisher): this {
    return this.#fill('finisher', finisher)
  }

  /** Fills the slot for verified chunks. Empty: no checksum extension. */
  useVerifiedAppender(verifiedAppender: VerifiedAppender): this {
    return this.#fill('verifiedAppender', verifiedAppender)
  }

  /**
   * Fills the slot for removals. Empty: no termination extension, and expired uploads are refused
   * but not removed.
   */
  useTerminator(terminator: Terminator): this {
    return this.#fill('terminator', terminator)
  }

  /** Fills the slot for concatenation. Empty: no concatenation extension. */
  useConcatenator(concatenator: Concatenator): this {
    return this.#fill('concatenator', concatenator)
  }

  /** Fills the slot for reading. Empty: no downloads. */
  useContentReader(contentReader: ContentReader): this {
    return this.#fill('contentReader', contentReader)
  }

  /** Fills the slot for the records of uploads. Required. */
  useInfoStore(infoStore: InfoStore): this {
    return this.#fill('infoStore', infoStore)
  }

  /** Fills the slot for finding expired records. Empty: uploads cannot expire. */
  useExpiryIndex(expiryIndex: ExpiryIndex): this {
    return this.#fill('expiryIndex', expiryIndex)
  }

  /** Fills the slot for listing. Empty: records cannot be listed. */
  useInfoLister(infoLister: InfoLister): this {
    return this.#fill('infoLister', infoLister)
  }

  /** Fills the slot for locks. Empty: a `MemoryLocker`, which is right for one process. */
  useLocker(locker: Locker): this {
    return this.#fill('locker', locker)
  }

  /**
   * Adds an object that is opened before the first use of the stores, and closed after the last.
   * Unlike the other methods, it replaces nothing, because each object opens and closes itself. To
   * add the same object again does nothing. Empty: nothing is opened or closed.
   */
  useLifecycle(object: Lifecycle): this {
    checkMembers('lifecycles', object)
    this.#slots.lifecycles = Object.freeze([...new Set(this.#slots.lifecycles).add(object)])
    return this
  }

  #fill<Slot extends Exclude<keyof StoreSlots, 'lifecycles'>>(
    slot: Slot,
    value: Required<StoreSlots>[Slot],
  ): this {
    checkMembers(slot, value)
    this.#slots[slot] = value
    return this
  }

  /** Returns a frozen copy of the slots. */
  slots(): Readonly<StoreSlots> {
    return Object.freeze({ ...this.#slots })
  }
}
