import type { StoreSlots } from '../store-composer.js'

/** The name of a slot of the composer. */
export type SlotName = keyof StoreSlots

/** The slots that a case uses. It uses only those that it needs, and these are filled. */
export type Slots = Readonly<Required<StoreSlots>>

/**
 * A condition for running a case: a slot, or an option of the suite that stands for a promise.
 * `unplug` needs a way in which the storage refuses or cannot be reached, `unreachable` one in
 * which nothing can be read, and `paused` the one in which nothing responds. `lease` says when the
 * lock of a holder that cannot be reached is free. `placing` needs places that the store accepts.
 */
export type Requirement =
  | SlotName
  | 'another'
  | 'damage'
  | 'fenced'
  | 'unplug'
  | 'unreachable'
  | 'paused'
  | 'places'
  | 'placing'
  | 'grow'
  | 'openHandles'
  | 'cutAfter'
  | 'lease'
