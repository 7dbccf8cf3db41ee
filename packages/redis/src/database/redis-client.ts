/**
 * A client of the package `redis` or `ioredis`: for one server, for a group with Sentinel, or for a
 * Cluster.
 */
export type RedisClient = NodeRedis | IoRedis

/** The members of a client of `redis` that are used. */
export interface NodeRedis {
  evalSha(sha: string, options: NodeRedisScript): Promise<unknown>
  eval(script: string, options: NodeRedisScript): Promise<unknown>
  duplicate(): NodeRedisSubscriber
}

/** The keys and arguments of a script, for a client of `redis`. */
export interface NodeRedisScript {
  keys: string[]
  arguments: string[]
}

/** The members of a connection of `redis` for messages that are used. */
export interface NodeRedisSubscriber {
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  on(event: string, listener: () => void): unknown
  /** Closes it. Before `redis` 5, it is `disconnect`. */
  destroy?(): unknown
  disconnect?(): unknown
}

/** The members of a client of `ioredis` that are used. */
export interface IoRedis {
  evalsha(sha: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
  duplicate(): IoRedisSubscriber
}

/** The members of a connection of `ioredis` for messages that are used. */
export interface IoRedisSubscriber {
  readonly options: object
  subscribe(channel: string): Promise<unknown>
  on(event: string, listener: (...values: string[]) => void): unknown
  disconnect(): void
}

export function isNodeRedis(client: object): client is NodeRedis {
  return has(client, 'evalSha', 'eval', 'duplicate')
}

export function isIoRedis(client: object): client is IoRedis {
  return has(client, 'evalsha', 'eval', 'duplicate')
}

function has(client: object, ...methods: readonly string[]): boolean {
  return methods.every((name) => typeof (client as Record<string, unknown>)[name] === 'function')
}
