// Tests that the store keeps its contract. Run: node --test examples/custom-store
import { test } from 'node:test'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { MapStore } from './map-store.mjs'

conformanceSuite({
  test,
  slots: ['dataStore', 'verifiedAppender', 'terminator', 'concatenator', 'contentReader'],
  factory() {
    return { composer: new StoreComposer().use(new MapStore()) }
  },
  // It refuses all places.
  places: { good: [], bad: [{ key: 'a' }] },
  // The store keeps its bytes in memory.
  memory: Infinity,
})
