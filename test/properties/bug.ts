import type { StoreComposer } from 'tuskit'
import type { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import type { SiteOptions } from './site.js'

/** A fault planted in a server, for the property to find. */
export interface Bug {
  readonly title: string
  /** Replaces the sound part. */
  plant?(composer: StoreComposer, store: MemoryStore, infoStore: MemoryInfoStore): void
  /** Runs between the clients and the server. */
  readonly before?: NonNullable<SiteOptions['before']>
  /** Matches the shortest history that shows the bug. */
  readonly shownBy: RegExp
}
