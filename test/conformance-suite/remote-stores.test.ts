import { describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { remoteOptions, serverOf } from './broken-remote.js'
import { FakeServer } from './fake-server.js'
import { RemoteStore } from './remote-store.js'

function composerOf(server: FakeServer) {
  const store = new RemoteStore(server)
  return new StoreComposer()
    .useDataStore(store)
    .useVerifiedAppender(store)
    .useTerminator(store)
    .useConcatenator(store)
    .useContentReader(store)
    .useLifecycle(store)
}

describe('A store on a fake server', () => {
  conformanceSuite({
    test,
    slots: [
      ...(['dataStore', 'verifiedAppender', 'terminator', 'concatenator'] as const),
      ...(['contentReader', 'lifecycles'] as const),
    ],
    factory() {
      const server = new FakeServer()
      return { server, composer: composerOf(server) }
    },
    another: (subject) => composerOf(serverOf(subject)),
    ...remoteOptions,
    // The server keeps all bytes in memory.
    memory: Infinity,
  })
})
