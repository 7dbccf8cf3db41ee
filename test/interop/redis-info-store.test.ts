import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createClient } from '@redis/client'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { TcpProxy } from 'tuskit/store-kit'
import { ensureProgram } from '../house/debian-packages.mjs'
import { freePort } from '../support/free-port.js'
import { RedisInfoStore } from './redis-info-store.js'

let port: number
let server: ChildProcess
/** A connection of the operator, which no fault affects. */
let operator: ReturnType<typeof createClient>

beforeAll(async () => {
  ensureProgram('redis-server')
  port = await freePort()
  const args = ['--port', `${port}`, '--save', '', '--bind', '127.0.0.1']
  server = spawn('redis-server', args, { stdio: 'ignore' })
  operator = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: () => 50 } })
  // Until the server listens.
  operator.on('error', () => {})
  await operator.connect()
})

afterAll(async () => {
  operator.destroy()
  server.kill()
  await once(server, 'exit')
})

const run = (...command: string[]) => operator.sendCommand(command)

describe('RedisInfoStore behind a proxy', () => {
  const composerOf = (proxy: TcpProxy) =>
    new StoreComposer().use(new RedisInfoStore({ port: proxy.port }))
  conformanceSuite({
    test,
    slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
    async factory() {
      await run('FLUSHALL')
      await run('SET', 'tuskit:mark', '')
      const proxy = await TcpProxy.start({ port })
      return { proxy, composer: composerOf(proxy), dispose: () => proxy.close() }
    },
    another: ({ proxy }) => composerOf(proxy),
    unplug: {
      down({ proxy }) {
        proxy.cut()
        return () => proxy.restore()
      },
      async gone() {
        await run('SWAPDB', '0', '1')
        return () => run('SWAPDB', '0', '1')
      },
      async refused() {
        await run('CONFIG', 'SET', 'min-replicas-to-write', '1')
        return () => run('CONFIG', 'SET', 'min-replicas-to-write', '0')
      },
      paused({ proxy }) {
        proxy.stall()
        return () => proxy.restore()
      },
    },
    damage: (id) => run('HSET', 'tuskit:records', id, '{"format":1,"revision":1,"id"'),
  })
})
