export { LimitedStore, type LimitedStoreOptions } from './limited-store.js'
export { MemorySpaceCounter } from './memory-space-counter.js'
export type { Shortage } from './space.js'
export type { SpaceCounter } from './space-counter.js'
