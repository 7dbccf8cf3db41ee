import { must, optionError, type OptionRule } from '../check-options.js'
import { unlessAborted } from '../unless-aborted.js'
import { SharedLifecycle } from '../shared-lifecycle.js'
import { StoreComposer, type ComposerPart, type StoreSlots } from '../store-composer.js'

/** The rules of the options that all migrations have. */
export const migrationRules = {
  after: must.beText,
  signal: must.beSignal,
} satisfies Record<string, OptionRule>

/** The rule of an option that is a store. */
export const beStore: OptionRule = {
  expectation: 'a store',
  accepts: (v) => typeof (v as Partial<ComposerPart> | null)?.useIn === 'function',
  required: true,
}

/** Returns what a store fills. Throws a `TypeError` if a slot that is needed stays empty. */
export function slotsOf<Needed extends keyof StoreSlots>(
  owner: string,
  option: string,
  store: ComposerPart,
  ...needed: readonly Needed[]
): StoreSlots & Required<Pick<StoreSlots, Needed>> {
  const slots = new StoreComposer().use(store).slots()
  const isComplete = needed.every((name) => slots[name] !== undefined)
  if (isComplete) return slots as StoreSlots & Required<Pick<StoreSlots, Needed>>
  const expectation = `a store that fills the slots ${needed.join(', ')}`
  throw optionError(owner, option, { expectation }, store)
}

/**
 * Opens stores, yields what `work` yields, and closes the stores. Throws a `TypeError` if one has
 * been closed before.
 */
export function withOpen<T>(
  owner: string,
  stores: readonly Readonly<StoreSlots>[],
  signal: AbortSignal,
  work: () => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const objects = [...new Set(stores.flatMap(({ lifecycles = [] }) => lifecycles))]
  const shared = objects.map((object) => SharedLifecycle.of(object))
  for (const [i, { isClosed }] of shared.entries()) {
    const { name } = objects[i]!.constructor
    if (isClosed) throw new TypeError(`${owner}: ${name} has been closed; create a new one`)
  }
  return (async function* () {
    for (const object of shared) object.use()
    const closed = () => Promise.all(shared.map((object) => object.release()))
    try {
      await unlessAborted(signal, Promise.all(shared.map((object) => object.open())))
    } catch (error) {
      // One that is still opening may never end.
      closed().catch(() => {})
      throw error
    }
    try {
      yield* work()
    } finally {
      await closed()
    }
  })()
}
