import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { plugin } from '@tuskit/mysql/plugin'
import { MysqlServer } from '../services.js'
import { behindProxy, unplug, urlOf, type Behind } from './behind-proxy.js'

let service: MysqlServer

beforeAll(async () => {
  service = await MysqlServer.start()
})
afterAll(() => service.stop())

// The plugin ends its pool when it is closed. Others stay open.
const compose = (behind: Behind) =>
  new StoreComposer().use(plugin.info.mysql(`${urlOf(behind)}?connectTimeout=2000`))
conformanceSuite({
  test,
  slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
  factory: () => behindProxy(service, compose),
  another: compose,
  unplug,
  async damage(id, { database }) {
    const sql = `UPDATE ${database}.tuskit_uploads SET record = LEFT(record, 20) WHERE id = ?`
    await service.asRoot((connection) => connection.query(sql, [id]))
  },
  openHandles: ({ proxy }) => proxy.connections,
})
