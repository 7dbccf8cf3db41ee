// Shows that the store keeps its contract: node --test examples/custom-store
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
  // It keeps in memory what it stores.
  memory: Infinity,
})
