import { describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { databaseOf, databaseOptions } from './broken-record-faults.js'
import { FakeDatabase } from './fake-database.js'
import { RemoteInfoStore } from './remote-info-store.js'

function composerOf(database: FakeDatabase) {
  const store = new RemoteInfoStore(database)
  return new StoreComposer().useInfoStore(store).useExpiryIndex(store).useInfoLister(store)
}

describe('An info store on a fake database', () => {
  conformanceSuite({
    test,
    slots: ['infoStore', 'expiryIndex', 'infoLister'],
    factory() {
      const database = new FakeDatabase()
      return { database, composer: composerOf(database) }
    },
    another: (subject) => composerOf(databaseOf(subject)),
    ...databaseOptions,
  })
})
