import { describe } from 'vitest'
import { MemoryStore } from 'tuskit/memory-store'
import { brokenRemoteAppends } from './broken-remote.js'
import { brokenRemoteCreations } from './broken-remote-changes.js'
import { brokenRemoteStats } from './broken-remote-reads.js'
import { mixedAppends } from './broken-several-uploads.js'
import { bytes } from './broken-appends.js'
import { interruptions } from './broken-interruptions.js'
import { openedByData } from './broken-handles.js'
import { names } from './broken-names.js'
import { places } from './broken-places.js'
import { secrets } from './broken-secrets.js'
import { sizes } from './broken-sizes.js'
import { composed, everything, testCaught } from './broken.js'

describe('Of broken data stores, the suite catches one that', () => {
  const claims = {
    caught: 'The factory fills the declared slots',
    title: 'fills fewer slots than it claims',
    slots: ['dataStore', 'terminator', 'contentReader'] as const,
    factory: () => {
      const sound = new MemoryStore()
      return composed({ dataStore: sound, contentReader: sound })
    },
  }
  testCaught(
    [
      claims,
      ...places,
      ...names,
      ...sizes,
      ...secrets,
      ...openedByData,
      ...bytes,
      ...interruptions,
      ...mixedAppends,
      ...brokenRemoteAppends,
      ...brokenRemoteCreations,
      ...brokenRemoteStats,
    ],
    everything('dataStore'),
  )
})
