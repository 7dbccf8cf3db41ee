import { describe, test } from 'vitest'
import { conformanceSuite } from 'tuskit/conformance'
import { remoteLockers } from './broken-remote-lockers.js'
import { RemoteLocker } from './remote-locker.js'

describe('A locker on a fake database', () => {
  // Long enough for a busy machine to keep a lock.
  conformanceSuite({ test, ...remoteLockers(RemoteLocker, 2000) })
})
