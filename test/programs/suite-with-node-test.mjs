// The suite under node:test, over a store in memory.
import { test } from 'node:test'
import { StoreComposer } from '../.dist/index.js'
import { conformanceSuite } from '../.dist/conformance.js'
import { MemoryStore } from '../.dist/memory-store.js'

conformanceSuite({
  test,
  slots: ['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'],
  factory() {
    const composer = new StoreComposer()
    new MemoryStore().useIn(composer)
    return { composer }
  },
  memory: Infinity,
})
