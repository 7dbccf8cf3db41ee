import type { ExpiryIndex } from '../capabilities/expiry-index.js'
import type { InfoLister, ListOptions } from '../capabilities/info-lister.js'
import type { InfoStore } from '../capabilities/info-store.js'
import type { ChangeOptions, ReadOptions } from '../capabilities/call-options.js'
import { cooperative } from '../cooperative.js'
import { TusError } from '../errors.js'
import { parseUpload, serializeUpload } from '../parse-upload.js'
import type { StoreComposer } from '../store-composer.js'
import { assertNextRevision } from '../store-kit/assert-next-revision.js'
import { isExpired, type Upload } from '../upload.js'

/**
 * Keeps the records of uploads in memory, for tests and demonstrations. They are lost when the
 * process ends. Records are kept as text, so that no caller shares an object with the store or with
 * another caller.
 */
export class MemoryInfoStore implements InfoStore, ExpiryIndex, InfoLister {
  readonly #records = new Map<string, string>()

  /** Fills the slots for records, their expiry and their listing. */
  useIn(composer: StoreComposer): void {
    composer.useInfoStore(this).useExpiryIndex(this).useInfoLister(this)
  }

  async create(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    signal.throwIfAborted()
    if (this.#records.has(upload.id)) throw new TusError('ERR_ID_TAKEN')
    this.#records.set(upload.id, serializeUpload(upload))
  }

  async get(id: string): Promise<Upload | undefined> {
    const text = this.#records.get(id)
    return text === undefined ? undefined : parseUpload(text)
  }

  async update(upload: Upload, { signal }: ChangeOptions): Promise<void> {
    signal.throwIfAborted()
    const text = this.#records.get(upload.id)
    assertNextRevision(text === undefined ? undefined : parseUpload(text), upload)
    this.#records.set(upload.id, serializeUpload(upload))
  }

  async delete(id: string, { signal }: ChangeOptions): Promise<void> {
    signal.throwIfAborted()
    this.#records.delete(id)
  }

  async *expired(now: Date, { signal }: ReadOptions): AsyncGenerator<string> {
    for await (const id of cooperative([...this.#records.keys()])) {
      signal.throwIfAborted()
      const upload = await this.get(id)
      if (upload !== undefined && isExpired(upload, now.getTime())) yield id
    }
  }

  async *ids({ after, signal }: ListOptions): AsyncGenerator<string> {
    for await (const id of cooperative([...this.#records.keys()].sort())) {
      signal.throwIfAborted()
      if (after === undefined || id > after) yield id
    }
  }
}
