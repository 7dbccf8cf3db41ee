import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { PostgresLocker } from '@tuskit/postgres'
import { Postgres } from '../services.js'
import { behindProxy, poolOf, unplug, type Behind } from './behind-proxy.js'

let server: Postgres

beforeAll(async () => {
  server = await Postgres.start()
})
afterAll(() => server.stop())

const lease = 2_000
const compose = (behind: Behind) =>
  new StoreComposer().use(new PostgresLocker({ pool: poolOf(behind), lease, pollInterval: 200 }))
conformanceSuite({
  test,
  slots: ['locker', 'lifecycles'],
  factory: () => behindProxy(server, compose),
  another: compose,
  unplug,
  lease,
  openHandles: ({ proxy }) => proxy.connections,
})
