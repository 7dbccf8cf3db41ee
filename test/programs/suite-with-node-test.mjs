// Runs the suite under node:test, over a store in memory.
import { test } from 'node:test'
import { StoreComposer } from '../.dist/index.js'
import { conformanceSuite } from '../.dist/conformance.js'
import { MemoryStore } from '../.dist/memory-store.js'

conformanceSuite({
  test,
  slots: ['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'],
  factory() {
    return { composer: new StoreComposer().use(new MemoryStore()) }
  },
  memory: Infinity,
})
