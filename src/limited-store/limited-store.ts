import { beLogger, defaultLogger, forgiving, type Logger } from '../logger.js'
import { checkOptions, must, optionError, type OptionRule } from '../check-options.js'
import { SharedLifecycle } from '../shared-lifecycle.js'
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
  /** The maximum number of bytes that all uploads together can use. Required. */
  readonly limit: number
  /** The store to limit. Its `useIn` fills the DataStore slot, and possibly others. Required. */
  readonly store: ComposerPart
  /** The records of the uploads. Its `useIn` fills the slots InfoStore and InfoLister. Required. */
  readonly infoStore: ComposerPart
  /**
   * Whether an upload uses its whole declared length from its creation, so that every accepted
   * upload fits. With `false`, each upload uses only its stored bytes, so a client that declares
   * much and sends nothing keeps no other client out. But an upload can then be refused in the
   * middle, and be resumed when there is space. Use the same value in all processes that share a
   * counter.
   *
   * @default true
   */
  readonly reserve?: boolean
  /**
   * The counter, shared by all processes that share the storage.
   *
   * @default a new `MemorySpaceCounter`
   */
  readonly counter?: SpaceCounter
  /**
   * Called when there is not enough space, to terminate the uploads that you need least
   * (`handler.uploads.terminate`). When its promise resolves, the request tries once more. There is
   * one call at a time. If absent, uploads that do not fit are refused.
   */
  readonly evict?: (shortage: Shortage) => unknown
  /**
   * Milliseconds that a request waits for `evict`, and for the first count.
   *
   * @default 10000
   */
  readonly spaceTimeout?: number
  /** Logs uploads that cannot be counted. By default, errors and warnings go to the console. */
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
 * Limits the space that all uploads of a store use together. An upload uses its declared length
 * from its creation (see {@link LimitedStoreOptions.reserve}), or without a length its stored
 * bytes. A final upload uses space in addition to its partials. Termination and expiry release the
 * space. An upload that does not fit is refused with `ERR_STORAGE_FULL` (507): nothing is created,
 * or the bytes before are kept.
 *
 * Existing uploads are counted from the records when space is first needed, so the limit also holds
 * after a crash and for uploads from before there was a limit.
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
      spaceTimeout: must.beMilliseconds,
      logger: beLogger,
    })
    const scratch = new StoreComposer()
    checked.store.useIn(scratch)
    checked.infoStore.useIn(scratch)
    const slots = scratch.slots()
    const { dataStore, infoStore, infoLister } = slots
    const { verifiedAppender, terminator, concatenator, lifecycles = [] } = slots
    if (!dataStore) throw unfilled('store', 'dataStore', checked.store)
    if (!infoStore) throw unfilled('infoStore', 'infoStore', checked.infoStore)
    if (!infoLister) throw unfilled('infoStore', 'infoLister', checked.infoStore)
    const { limit, counter = new MemorySpaceCounter(), evict, spaceTimeout = 10_000 } = checked
    const { reserve = true } = checked
    const logger = forgiving(checked.logger ?? defaultLogger)
    const count = async () => {
      await Promise.all(lifecycles.map((object) => SharedLifecycle.of(object).open()))
      await countUploads({ dataStore, infoStore, infoLister, reserve, counter, logger })
    }
    const space = new Space({ limit, reserve, counter, count, evict, spaceTimeout })
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
    for (const object of slots.lifecycles ?? []) composer.useLifecycle(object)
  }

  /**
   * Counts the existing uploads, unless they are counted already. Call it before the server listens
   * to spare the first request that needs space the wait. Opens the stores if they are not open.
   * Rejects when a store fails, and then the next request that needs space counts.
   */
  count(): Promise<void> {
    return this.#space.counted()
  }
}

function unfilled(option: 'store' | 'infoStore', slot: string, value: ComposerPart): TypeError {
  const expectation = `a store that fills the slot ${slot}`
  return optionError('LimitedStore', option, { expectation }, value)
}
