import { parseUpload, serializeUpload, TusError, type Upload } from 'tuskit'
import type {
  ChangeOptions,
  ExpiryIndex,
  InfoLister,
  InfoStore,
  ListOptions,
  ReadOptions,
} from 'tuskit'
import { assertNextRevision, translated } from 'tuskit/store-kit'
import type { FakeDatabase } from './fake-database.js'

const pageSize = 100

/** A sound info store on a fake database, from which broken ones are made. */
export class RemoteInfoStore implements InfoStore, ExpiryIndex, InfoLister {
  readonly database: FakeDatabase

  constructor(database: FakeDatabase) {
    this.database = database
  }

  async create(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const text = serializeUpload(upload)
    await this.run(signal, 'change', (rows) => {
      if (rows.has(upload.id)) throw new TusError('ERR_ID_TAKEN')
      rows.set(upload.id, text)
    })
  }

  async get(id: string, { signal }: ReadOptions): Promise<Upload | undefined> {
    const text = await this.run(signal, 'read', (rows) => rows.get(id))
    return text === undefined ? undefined : parseUpload(text)
  }

  async update(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    const text = serializeUpload(upload)
    await this.run(signal, 'change', (rows) => {
      const stored = rows.get(upload.id)
      assertNextRevision(stored === undefined ? undefined : parseUpload(stored), upload)
      rows.set(upload.id, text)
    })
  }

  async delete(id: string, { signal }: ChangeOptions): Promise<void> {
    await this.run(signal, 'change', (rows) => void rows.delete(id))
  }

  async *expired(now: Date, { signal }: ReadOptions): AsyncGenerator<string> {
    for (const [id, text] of await this.run(signal, 'read', (rows) => [...rows])) {
      const { expiresAt } = parseUpload(text)
      if (expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime()) yield id
    }
  }

  async *ids({ after, signal }: ListOptions): AsyncGenerator<string> {
    for (let last = after; ;) {
      const page = await this.page(last, signal)
      yield* page
      if (page.length < pageSize) return
      last = page.at(-1)
    }
  }

  /** Returns the first ids after another one. */
  async page(after: string | undefined, signal: AbortSignal): Promise<readonly string[]> {
    return this.run(signal, 'read', (rows) => {
      const ids = [...rows.keys()].filter((id) => after === undefined || id > after)
      return ids.sort().slice(0, pageSize)
    })
  }

  /** Runs a command. Rejects when the signal aborts, whatever becomes of the command. */
  async run<T>(
    signal: AbortSignal,
    kind: 'read' | 'change',
    command: (rows: Map<string, string>) => T,
  ): Promise<T> {
    signal.throwIfAborted()
    const running = translated(this.database.run(kind, command))
    return new Promise((resolve, reject) => {
      const abandon = () => reject(signal.reason as Error)
      signal.addEventListener('abort', abandon)
      const settled = () => signal.removeEventListener('abort', abandon)
      running.then(resolve, reject).finally(settled)
    })
  }
}
