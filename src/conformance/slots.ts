import type { StoreSlots } from '../store-composer.js'

/** The name of a slot of the composer. */
export type SlotName = keyof StoreSlots

/** The slots as cases see them. A case touches only the slots that it needs, and those are filled. */
export type Slots = Readonly<Required<StoreSlots>>

/** A condition for running a case: a slot, or an option of the suite that stands for a promise. */
export type Requirement = SlotName | 'another' | 'damage' | 'fenced' | 'unplug'
