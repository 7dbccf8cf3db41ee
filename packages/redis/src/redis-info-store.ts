import { randomUUID } from 'node:crypto'
import {
  isUploadId,
  parseUpload,
  serializeUpload,
  TusError,
  type ChangeOptions,
  type ExpiryIndex,
  type InfoLister,
  type InfoStore,
  type Lifecycle,
  type ListOptions,
  type ReadOptions,
  type StoreComposer,
  type Upload,
} from 'tuskit'
import { checkOptions } from 'tuskit/store-kit'
import { Database } from './database/database.js'
import type { Script } from './database/script.js'
import { shardOf, shards } from './database/shards.js'
import { merged } from './merged.js'
import { createRecord, deleteRecord, listPage, readRecord, updateRecord } from './record-scripts.js'
import { defaults, sharedRules, type RedisPartOptions } from './shared-options.js'

/** Options of {@link RedisInfoStore}. */
export interface RedisInfoStoreOptions extends RedisPartOptions {}

/** How many ids one request returns at most. */
const pageSize = 500

/** The digits of the latest possible time in milliseconds. */
const timeDigits = 16

/**
 * Keeps the records of uploads in Redis or Valkey, each in a hash. In the same step as a record,
 * scripts change two lists: that of all ids, and that of the ids of records that expire, by time.
 * So neither has to be searched for.
 */
export class RedisInfoStore implements InfoStore, ExpiryIndex, InfoLister, Lifecycle {
  readonly #database: Database

  constructor(options: RedisInfoStoreOptions) {
    const checked = checkOptions<RedisInfoStoreOptions>('RedisInfoStore', options, sharedRules)
    const { client, prefix, timeout } = { ...defaults, ...checked }
    this.#database = new Database(client, prefix, timeout)
  }

  /** Fills the slots for records, their expiry, their list and lifecycles. */
  useIn(composer: StoreComposer): void {
    composer.useInfoStore(this).useExpiryIndex(this).useInfoLister(this).useLifecycle(this)
  }

  /** Checks that Redis can be reached, and does not evict records. */
  async open(): Promise<void> {
    await this.#database.check('RedisInfoStore', /^allkeys-/)
  }

  async close(): Promise<void> {}

  async create(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const done = await this.#change(createRecord, upload.id, argumentsOf(upload), signal)
    if (!done) throw new TusError('ERR_ID_TAKEN')
  }

  async get(id: string, { signal }: ReadOptions): Promise<Upload | undefined> {
    const call = { shard: shardOf(id), keys: [recordKey(id)], args: [], signal }
    const record = (await this.#database.read(readRecord, call)) as string | Buffer | null
    return record === null ? undefined : parseUpload(record.toString())
  }

  async update(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const done = await this.#change(updateRecord, upload.id, argumentsOf(upload), signal)
    if (!done) throw new TusError('ERR_INFO_CONFLICT')
  }

  async delete(id: string, { signal }: ChangeOptions): Promise<void> {
    await this.#change(deleteRecord, id, [id], signal)
  }

  async *expired(now: Date, { signal }: ReadOptions): AsyncGenerator<string> {
    // The character after the colon, so that all ids with this time come before it.
    const to = `(${sortable(now)};`
    for (const shard of shards) {
      const members = this.#list(shard, 'expiries', '-', to, signal)
      for await (const member of members) yield member.slice(timeDigits + 1)
    }
  }

  ids({ after, signal }: ListOptions): AsyncGenerator<string> {
    const from = after === undefined ? '-' : `(${after}`
    return merged(shards.map((shard) => this.#list(shard, 'ids', from, '+', signal)))
  }

  /** Yields the members of a list page by page. It may change meanwhile. */
  async *#list(
    shard: string,
    key: string,
    from: string,
    to: string,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    for (let start = from; ;) {
      const call = { shard, keys: [key], args: [start, to, pageSize], signal }
      const page = ((await this.#database.read(listPage, call)) as readonly unknown[]).map(String)
      yield* page
      if (page.length < pageSize) return
      start = `(${page.at(-1)}`
    }
  }

  /** Returns whether the change was made. */
  async #change(
    script: Script,
    id: string,
    args: readonly (string | number)[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const keys = [recordKey(id), 'ids', 'expiries']
    const [result] = await this.#database.change(script, { shard: shardOf(id), keys, args, signal })
    if (result === 'corrupt') throw new TusError('ERR_INFO_CORRUPT')
    return result === 'done'
  }
}

function argumentsOf(upload: Upload): readonly (string | number)[] {
  const { id, revision, expiresAt } = upload
  const expiry = expiresAt === undefined ? '' : `${sortable(new Date(expiresAt))}:${id}`
  return [id, revision, serializeUpload(upload), randomUUID(), expiry]
}

/** Returns a time as digits that have the same order as text. */
function sortable(time: Date): string {
  return String(Math.max(0, +time)).padStart(timeDigits, '0')
}

function recordKey(id: string): string {
  if (!isUploadId(id)) throw new TusError('ERR_INVALID_UPLOAD_ID')
  return `record:${id}`
}
