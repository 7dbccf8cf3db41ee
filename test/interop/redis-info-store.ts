import { createClient } from '@redis/client'
import { parseUpload, serializeUpload, TusError, type Upload } from 'tuskit'
import type { ChangeOptions, ExpiryIndex, InfoLister, InfoStore, Lifecycle } from 'tuskit'
import type { ListOptions, ReadOptions, StoreComposer } from 'tuskit'
import { translated } from 'tuskit/store-kit'

const keys = ['tuskit:mark', 'tuskit:records', 'tuskit:ids', 'tuskit:expiries']

/**
 * Each script is one step. It fails when the database is another one, which has no mark. All ids
 * have the same score in their list, so that Redis orders them by bytes.
 */
const guard = `if redis.call('exists', KEYS[1]) == 0 then return redis.error_reply('NOMARK') end `
const write = `redis.call('hset', KEYS[2], ARGV[1], ARGV[2]) redis.call('zadd', KEYS[3], 0, ARGV[1])
  if ARGV[4] == '' then redis.call('zrem', KEYS[4], ARGV[1])
  else redis.call('zadd', KEYS[4], ARGV[4], ARGV[1]) end return 1`
const scripts = {
  get: `${guard} return redis.call('hget', KEYS[2], ARGV[1])`,
  create: `${guard} if redis.call('hexists', KEYS[2], ARGV[1]) == 1 then return 0 end ${write}`,
  update: `${guard} local text = redis.call('hget', KEYS[2], ARGV[1])
    if not text then return 0 end
    if tostring(cjson.decode(text).revision + 1) ~= ARGV[3] then return 0 end ${write}`,
  delete: `${guard} redis.call('hdel', KEYS[2], ARGV[1]) redis.call('zrem', KEYS[3], ARGV[1])
    redis.call('zrem', KEYS[4], ARGV[1])`,
  ids: `${guard} return redis.call('zrangebylex', KEYS[3], ARGV[1], '+', 'LIMIT', 0, 500)`,
  expired: `${guard} return redis.call('zrangebyscore', KEYS[4], '-inf', ARGV[1])`,
} as const

/** An info store in Redis, in a database that the operator has given a mark. */
export class RedisInfoStore implements InfoStore, ExpiryIndex, InfoLister, Lifecycle {
  readonly #client
  #isOpen = false

  constructor({ port }: { readonly port: number }) {
    // The first connection is tried once. Later, commands fail at once while there is none.
    const reconnectStrategy = () => this.#isOpen && 20
    const socket = { host: '127.0.0.1', port, reconnectStrategy }
    this.#client = createClient({ socket, disableOfflineQueue: true })
    this.#client.on('error', () => {})
  }

  useIn(composer: StoreComposer): void {
    composer.useInfoStore(this).useExpiryIndex(this).useInfoLister(this).useLifecycle(this)
  }

  async open(): Promise<void> {
    await translated(this.#client.connect())
    this.#isOpen = true
    try {
      await this.get('a', new AbortController())
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.#client.destroy()
  }

  async create(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const isDone = await this.#run(signal, 'create', argumentsOf(upload))
    if (isDone !== 1) throw new TusError('ERR_ID_TAKEN')
  }

  async get(id: string, { signal }: ReadOptions): Promise<Upload | undefined> {
    const text = await this.#run(signal, 'get', [id])
    return text === null ? undefined : parseUpload(text as string)
  }

  async update(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const isDone = await this.#run(signal, 'update', argumentsOf(upload))
    if (isDone !== 1) throw new TusError('ERR_INFO_CONFLICT')
  }

  async delete(id: string, { signal }: ChangeOptions): Promise<void> {
    await this.#run(signal, 'delete', [id])
  }

  async *expired(now: Date, { signal }: ReadOptions): AsyncGenerator<string> {
    yield* (await this.#run(signal, 'expired', [String(now.getTime())])) as string[]
  }

  async *ids({ after, signal }: ListOptions): AsyncGenerator<string> {
    for (let from = after === undefined ? '-' : `(${after}`; ;) {
      const page = (await this.#run(signal, 'ids', [from])) as string[]
      yield* page
      if (page.length === 0) return
      from = `(${page.at(-1)}`
    }
  }

  /** Runs a script. Rejects when the signal aborts, whatever becomes of the script. */
  async #run(signal: AbortSignal, name: keyof typeof scripts, args: string[]): Promise<unknown> {
    signal.throwIfAborted()
    const running = this.#client.eval(scripts[name], { keys, arguments: args })
    return new Promise((resolve, reject) => {
      const abandon = () => reject(signal.reason as Error)
      signal.addEventListener('abort', abandon)
      const failed = (cause: unknown) => {
        reject(new TusError('ERR_STORAGE_UNAVAILABLE', { cause }))
      }
      running.then(resolve, failed).finally(() => signal.removeEventListener('abort', abandon))
    })
  }
}

function argumentsOf(upload: Upload): string[] {
  const { id, revision, expiresAt } = upload
  const expiry = expiresAt === undefined ? '' : String(Date.parse(expiresAt))
  return [id, serializeUpload(upload), String(revision), expiry]
}
