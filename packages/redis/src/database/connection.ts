import { type IoRedis, isNodeRedis, type NodeRedis, type RedisClient } from './redis-client.js'

/** A connection for messages. */
export interface Subscription {
  /** Resolves when messages arrive. */
  readonly opened: Promise<void>
  close(): void
}

/** Functions that get the messages of a channel. */
export interface Subscriber {
  readonly message: (text: string) => void
  /** Called when the channel has been subscribed, again after each lost connection. */
  readonly subscribed: () => void
}

/** The same for all clients. */
export interface Connection {
  evalSha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown>
  eval(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>
  /** Opens a connection of its own for a channel. Call `close` also if `opened` rejects. */
  subscribe(channel: string, to: Subscriber): Subscription
}

/** Returns the connection of a client. */
export function connectionOf(client: RedisClient): Connection {
  return isNodeRedis(client) ? ofNodeRedis(client) : ofIoRedis(client)
}

function ofNodeRedis(client: NodeRedis): Connection {
  const given = (keys: readonly string[], args: readonly string[]) => ({
    keys: [...keys],
    arguments: [...args],
  })
  return {
    evalSha: async (sha, keys, args) => client.evalSha(sha, given(keys, args)),
    eval: async (script, keys, args) => client.eval(script, given(keys, args)),
    subscribe(channel, { message, subscribed }) {
      const subscriber = client.duplicate()
      // The client reconnects by itself, and it subscribes again before it is ready.
      subscriber.on('error', () => {})
      subscriber.on('ready', subscribed)
      const open = async () => {
        await subscriber.connect()
        await subscriber.subscribe(channel, message)
        subscribed()
      }
      const close = async () => {
        await (subscriber.destroy?.() ?? subscriber.disconnect?.())
      }
      // It rejects when there is no connection to close.
      return { opened: open(), close: () => void close().catch(() => {}) }
    },
  }
}

function ofIoRedis(client: IoRedis): Connection {
  return {
    evalSha: async (sha, keys, args) => client.evalsha(sha, keys.length, ...keys, ...args),
    eval: async (script, keys, args) => client.eval(script, keys.length, ...keys, ...args),
    subscribe(channel, { message, subscribed }) {
      const subscriber = client.duplicate()
      // It would ignore a failure to subscribe again, and that can end the process.
      Object.assign(subscriber.options, { autoResubscribe: false })
      const open = async () => {
        await subscriber.subscribe(channel)
        subscribed()
      }
      subscriber.on('error', () => {})
      subscriber.on('message', (_, text) => message(text!))
      subscriber.on('ready', () => void open().catch(() => {}))
      return { opened: open(), close: () => subscriber.disconnect() }
    },
  }
}
