import { must, optionError, type OptionRule } from '../check-options.js'
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

/** Opens stores, yields what `work` yields, and closes the stores. */
export async function* withOpen<T>(
  stores: readonly Readonly<StoreSlots>[],
  work: () => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const objects = new Set(stores.flatMap(({ lifecycles = [] }) => lifecycles))
  const opened = [...objects].map((object) => SharedLifecycle.of(object))
  for (const object of opened) object.use()
  try {
    await Promise.all(opened.map((object) => object.open()))
    yield* work()
  } finally {
    await Promise.all(opened.map((object) => object.release()))
  }
}
