import { beLogger, defaultLogger, forgiving, type Logger } from '../logger.js'
import { checkOptions, must, optionError, type OptionRule } from '../check-options.js'
import { StoreComposer, type ComposerPart, type StoreSlots } from '../store-composer.js'
import { countUploads } from './count-uploads.js'
import {
  limitedConcatenator,
  limitedDataStore,
  limitedInfoStore,
  limitedTerminator,
  limitedVerifiedAppender,
} from './limited-slots.js'
import { MemorySpaceCounter } from './memory-space-counter.js'
import { Space, type Shortage } from './space.js'
import type { SpaceCounter } from './space-counter.js'

/** Options of {@link LimitedStore}. */
export interface LimitedStoreOptions {
  /** The most bytes that all uploads together may take. Required. */
  readonly limit: number
  /** The store whose space is limited: whatever fills a DataStore slot, and perhaps others, with `useIn`. Required. */
  readonly store: ComposerPart
  /** The records of the uploads: whatever fills the slots InfoStore and InfoLister with `useIn`. Required. */
  readonly infoStore: ComposerPart
  /**
   * Whether an upload that declares its length takes all of it from its creation on, so that what was accepted also fits.
   * `false`: each upload takes the bytes that are stored, so a client that declares much and sends nothing keeps nobody
   * out; but an upload may then be refused in its middle, and be resumed when there is room. The same in all processes
   * that share a counter. Default `true`.
   */
  readonly reserve?: boolean
  /** Where it is counted; one for all processes that share the storage. Default: a `MemorySpaceCounter` of its own. */
  readonly counter?: SpaceCounter
  /**
   * Called when room is missing, to terminate what is needed least (`handler.uploads.terminate`); when its promise has
   * resolved it is tried again, once. One call at a time. Absent: what does not fit is refused.
   */
  readonly evict?: (shortage: Shortage) => unknown
  /** Milliseconds that a request waits for `evict`, and for the first count. Default 10,000. */
  readonly roomTimeout?: number
  /** Takes messages of uploads that cannot be counted. Default: errors and warnings go to the console. */
  readonly logger?: Logger
}

const beComposable: OptionRule = {
  expectation: 'a store with the function useIn',
  accepts: (v) => typeof (v as { useIn?: unknown } | null)?.useIn === 'function',
  required: true,
}

const beCounter: OptionRule = {
  expectation: 'an object with the functions reserve and note',
  accepts: (v) =>
    ['reserve', 'note'].every(
      (name) => typeof (v as Record<string, unknown> | null)?.[name] === 'function',
    ),
}

/**
 * Keeps the space that all uploads of a store take under a limit. An upload takes its declared length from its creation
 * on (see {@link LimitedStoreOptions.reserve}), one without a length as much as has come; a final upload takes room besides its partials. Termination and expiry
 * give it back. What does not fit is refused with `ERR_STORAGE_FULL` (507): nothing is created, or what came before is
 * kept.
 *
 * What is there already is counted from the records when room is needed for the first time, so the limit also holds
 * after a crash and for uploads from before there was one.
 *
 * @example
 * new LimitedStore({
 *   limit: 50_000_000_000,
 *   store: new FileStore({ directory }),
 *   infoStore: new FileInfoStore({ directory }),
 * }).useIn(composer)
 */
export class LimitedStore {
  readonly #slots: Readonly<StoreSlots>
  readonly #space: Space

  constructor(options: LimitedStoreOptions) {
    const checked = checkOptions<LimitedStoreOptions>('LimitedStore', options, {
      limit: { ...must.beBytes, required: true },
      store: beComposable,
      infoStore: beComposable,
      reserve: must.beBoolean,
      counter: beCounter,
      evict: must.beFunction,
      roomTimeout: must.beMilliseconds,
      logger: beLogger,
    })
    const scratch = new StoreComposer()
    checked.store.useIn(scratch)
    checked.infoStore.useIn(scratch)
    const slots = scratch.slots()
    const { dataStore, infoStore, infoLister } = slots
    const { verifiedAppender, terminator, concatenator } = slots
    if (!dataStore) throw unfilled('store', 'dataStore', checked.store)
    if (!infoStore) throw unfilled('infoStore', 'infoStore', checked.infoStore)
    if (!infoLister) throw unfilled('infoStore', 'infoLister', checked.infoStore)
    const { limit, counter = new MemorySpaceCounter(), evict, roomTimeout = 10_000 } = checked
    const { reserve = true } = checked
    const logger = forgiving(checked.logger ?? defaultLogger)
    const count = () => countUploads({ dataStore, infoStore, infoLister, reserve, counter, logger })
    const space = new Space({ limit, reserve, counter, count, evict, roomTimeout })
    this.#space = space
    this.#slots = Object.freeze({
      ...slots,
      dataStore: limitedDataStore(dataStore, space),
      infoStore: limitedInfoStore(infoStore, dataStore, space),
      ...(verifiedAppender && {
        verifiedAppender: limitedVerifiedAppender(verifiedAppender, dataStore, space),
      }),
      ...(terminator && { terminator: limitedTerminator(terminator, space) }),
      ...(concatenator && { concatenator: limitedConcatenator(concatenator, dataStore, space) }),
    })
  }

  /** Fills the slots that `store` and `infoStore` fill. */
  useIn(composer: StoreComposer): void {
    const slots = this.#slots
    if (slots.dataStore) composer.useDataStore(slots.dataStore)
    if (slots.finisher) composer.useFinisher(slots.finisher)
    if (slots.verifiedAppender) composer.useVerifiedAppender(slots.verifiedAppender)
    if (slots.terminator) composer.useTerminator(slots.terminator)
    if (slots.concatenator) composer.useConcatenator(slots.concatenator)
    if (slots.contentReader) composer.useContentReader(slots.contentReader)
    if (slots.infoStore) composer.useInfoStore(slots.infoStore)
    if (slots.expiryIndex) composer.useExpiryIndex(slots.expiryIndex)
    if (slots.infoLister) composer.useInfoLister(slots.infoLister)
    if (slots.locker) composer.useLocker(slots.locker)
  }

  /**
   * Counts what is there, if that was not done yet. Called before the server listens, it spares the first request that
   * needs room the wait. Rejects when a store cannot tell; then the next request that needs room counts.
   */
  count(): Promise<void> {
    return this.#space.counted()
  }
}

function unfilled(option: 'store' | 'infoStore', slot: string, value: ComposerPart): TypeError {
  const expectation = `a store that fills the slot ${slot}`
  return optionError('LimitedStore', option, { expectation }, value)
}
