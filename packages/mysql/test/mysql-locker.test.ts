import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { plugin } from '@tuskit/mysql/plugin'
import { MysqlServer } from '../services.js'
import { behindProxy, unplug, urlOf, type Behind } from './behind-proxy.js'

const lease = 2_000

let service: MysqlServer

beforeAll(async () => {
  service = await MysqlServer.start()
})
afterAll(() => service.stop())

const compose = (behind: Behind) => {
  const times = `lease=${lease}&poll-interval=100&connectTimeout=2000`
  return new StoreComposer().use(plugin.locks.mysql(`${urlOf(behind)}?${times}`))
}
conformanceSuite({
  test,
  slots: ['locker', 'lifecycles'],
  factory: () => behindProxy(service, compose),
  another: compose,
  unplug,
  lease,
  openHandles: ({ proxy }) => proxy.connections,
})
