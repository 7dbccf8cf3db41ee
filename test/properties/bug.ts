import type { StoreComposer } from 'tuskit'
import type { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import type { SiteOptions } from './site.js'

/** What a server could do wrong, for the property to find. */
export interface Bug {
  readonly title: string
  /** Puts it in the place of what is sound. */
  plant?(composer: StoreComposer, store: MemoryStore, infoStore: MemoryInfoStore): void
  /** Puts it between the clients and the server. */
  readonly before?: NonNullable<SiteOptions['before']>
  /** What its shortest history tells about. */
  readonly tells: RegExp
}
