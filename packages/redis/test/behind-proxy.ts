import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { TcpProxy } from 'tuskit/store-kit'
import type { RedisClient } from '@tuskit/redis'
import type { RedisServer } from '../services.js'
import type { RedisServers } from './redis-servers.js'

/** A server behind a proxy that can break the connections to it. */
export interface Behind {
  readonly redis: RedisServer
  readonly proxy: TcpProxy
  /** Closes the clients that have been opened. */
  readonly closing: (() => unknown)[]
}

/** Makes a client of a server. */
export type Connect = (behind: Behind) => Promise<RedisClient>

/** Connects with the package `redis`. */
export const nodeRedis: Connect = async ({ proxy, closing }) => {
  const socket = { host: '127.0.0.1', port: proxy.port, reconnectStrategy: () => 20 }
  const client = createClient({ socket })
  client.on('error', () => {})
  closing.push(() => client.destroy())
  await client.connect()
  return client
}

/** Connects with the package `ioredis`. */
export const ioRedis: Connect = async ({ proxy, closing }) => {
  const client = new Redis(proxy.port, '127.0.0.1', { retryStrategy: () => 20 })
  client.on('error', () => {})
  closing.push(() => client.disconnect())
  // It connects in the background.
  await client.ping()
  return client
}

/** Makes a subject of the suite on a server of its own. */
export async function behindProxy<Composer>(
  servers: RedisServers,
  compose: (behind: Behind) => Promise<Composer>,
): Promise<Behind & { composer: Composer; dispose: () => Promise<void> }> {
  const redis = await servers.take()
  const proxy = await TcpProxy.start({ port: redis.port })
  const behind: Behind = { redis, proxy, closing: [] }
  const dispose = async () => {
    for (const close of behind.closing) close()
    await proxy.close()
    servers.giveBack(redis)
  }
  return { ...behind, composer: await compose(behind), dispose }
}

/** An option of the suite: the ways in which the server can fail. */
export const unplug = {
  down({ proxy }: Behind) {
    proxy.cut()
    return () => proxy.restore()
  },
  async refused({ redis }: Behind) {
    await redis.makeReadOnly()
    return () => redis.makeWritable()
  },
  paused({ proxy }: Behind) {
    proxy.stall()
    return () => proxy.restore()
  },
}
