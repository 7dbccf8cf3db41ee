import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { onTestFinished } from 'vitest'
import type { RedisClient } from '@tuskit/redis'
import type { RedisCluster } from '../services.js'
import { RedisSentinels, type RedisServer } from '../services.js'

const host = '127.0.0.1'
const retry = () => 20

/** Makes a client of a service, and closes it when the test ends. */
export type ConnectTo<Service> = (service: Service) => Promise<RedisClient>

/** For describe.each: clients of one server. */
export const clients: readonly {
  readonly name: string
  readonly connect: ConnectTo<RedisServer>
}[] = [
  {
    name: 'redis',
    connect: ({ port }) =>
      connected(createClient({ socket: { host, port, reconnectStrategy: retry } })),
  },
  {
    name: 'ioredis',
    connect: async ({ port }) => closed(new Redis(port, host, { retryStrategy: retry })),
  },
]

/** Clients of a Cluster. */
export const clusterClients: readonly {
  readonly name: string
  readonly connect: ConnectTo<RedisCluster>
}[] = [
  {
    name: 'createCluster of redis',
    connect: ({ servers }) =>
      connected(createCluster({ rootNodes: servers.map(({ url }) => ({ url })) })),
  },
  {
    name: 'Cluster of ioredis',
    connect: async ({ servers }) =>
      closed(new Cluster(servers.map(({ port }) => ({ host, port })))),
  },
]

/** Clients of a group with Sentinel. */
export const sentinelClients: readonly {
  readonly name: string
  readonly connect: ConnectTo<RedisSentinels>
}[] = [
  {
    name: 'createSentinel of redis',
    connect: ({ ports }) => {
      const sentinelRootNodes = ports.map((port) => ({ host, port }))
      return connected(createSentinel({ name: RedisSentinels.group, sentinelRootNodes }))
    },
  },
  {
    name: 'ioredis',
    connect: async ({ ports }) => {
      const sentinels = ports.map((port) => ({ host, port }))
      const options = { name: RedisSentinels.group, sentinels, failoverDetector: true }
      return closed(new Redis({ ...options, sentinelRetryStrategy: retry }))
    },
  },
]

interface NodeClient extends RedisClientOf {
  connect(): Promise<unknown>
  on(event: 'error', listener: (error: Error) => void): unknown
  destroy(): unknown
}

type RedisClientOf = Extract<RedisClient, { evalSha: unknown }>

async function connected(client: NodeClient): Promise<RedisClient> {
  client.on('error', () => {})
  onTestFinished(async () => void (await client.destroy()))
  await client.connect()
  return client
}

function closed(client: Redis | Cluster): RedisClient {
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return client
}
