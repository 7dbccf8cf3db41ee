import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { PostgresInfoStore } from '@tuskit/postgres'
import { Postgres } from '../services.js'
import { behindProxy, poolOf, unplug, type Behind } from './behind-proxy.js'

let server: Postgres

beforeAll(async () => {
  server = await Postgres.start()
})
afterAll(() => server.stop())

const compose = (behind: Behind) =>
  new StoreComposer().use(new PostgresInfoStore({ pool: poolOf(behind) }))
conformanceSuite({
  test,
  slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
  factory: () => behindProxy(server, compose),
  another: compose,
  unplug,
  async damage(id, { database }) {
    const text = `UPDATE tuskit_uploads SET record = '{"format": 1}' WHERE id = $1`
    await server.query(text, { database, values: [id] })
  },
  openHandles: ({ proxy }) => proxy.connections,
})
