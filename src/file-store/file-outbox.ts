import { readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkOptions } from '../check-options.js'
import type { ReadOptions } from '../capabilities/call-options.js'
import { cooperative } from '../cooperative.js'
import { outboxTypes, type HookOutbox, type OutboxEntry } from '../hook-outbox.js'
import { isUploadId } from '../upload.js'
import { Directory } from './disk/directory.js'
import { directoryRules, type DirectoryOptions } from './disk/directory-options.js'
import { unlessMissing } from './disk/unless-missing.js'
import { writeFully } from './disk/write-fully.js'

/** Options of {@link FileOutbox}. */
export type FileOutboxOptions = DirectoryOptions

/**
 * Keeps the events that wait for their delivery in a directory, one file each, named after the
 * upload and the type of the event. Events that were given up are in its folder `given-up`, with
 * the reason. To deliver one again, move it back.
 *
 * All processes that share uploads can share the directory.
 */
export class FileOutbox implements HookOutbox {
  readonly #directory: Directory
  #count = 0

  constructor(options: FileOutboxOptions) {
    this.#directory = new Directory(checkOptions('FileOutbox', options, directoryRules))
  }

  async put(entry: OutboxEntry, { signal }: ReadOptions): Promise<void> {
    signal.throwIfAborted()
    await this.#write(this.#pathOf(entry), entry)
  }

  async get(uploadId: string): Promise<readonly OutboxEntry[]> {
    return this.#directory.use(async () => {
      const entries: OutboxEntry[] = []
      for (const type of outboxTypes) {
        const path = join(this.#directory.path, nameOf(uploadId, type))
        const read = () => unlessMissing(readFile(path, 'utf8'))
        const text = await this.#directory.find(read)
        if (text !== undefined) entries.push(JSON.parse(text) as OutboxEntry)
      }
      return entries
    })
  }

  async delete(entry: OutboxEntry): Promise<void> {
    await this.#directory.use(async () => {
      await this.#directory.confirm()
      await rm(this.#pathOf(entry), { force: true })
    })
  }

  async giveUp(entry: OutboxEntry, reason: string): Promise<void> {
    const { upload, event } = entry
    const path = join(this.#directory.path, 'given-up', nameOf(upload.id, event.type))
    await this.#write(path, { ...entry, reason })
  }

  async *uploadIds({ signal }: ReadOptions): AsyncGenerator<string, void, undefined> {
    await this.#directory.use(async () => {})
    for await (const name of cooperative(this.#directory.names())) {
      signal.throwIfAborted()
      const type = outboxTypes.find((one) => name.endsWith(`.${one}.json`))
      const id = name.slice(0, -`.${type}.json`.length)
      if (type !== undefined && isUploadId(id)) yield id
    }
  }

  /** Writes a file as a whole, or not at all. */
  async #write(path: string, value: object): Promise<void> {
    const directory = this.#directory
    await directory.use(async () => {
      // No id begins with a dot.
      const temporary = join(directory.path, `.${process.pid}-${Date.now()}-${this.#count++}`)
      const file = await directory.createFile(temporary, 'wx')
      try {
        try {
          await writeFully(file, [Buffer.from(JSON.stringify(value))], 0)
          await directory.sync(file)
        } finally {
          await file.close()
        }
        await directory.createFolder(dirname(path))
        await rename(temporary, path)
      } catch (error) {
        // Otherwise it would stay for ever.
        await rm(temporary, { force: true }).catch(() => {})
        throw error
      }
      await directory.syncFolder(dirname(path))
    })
  }

  #pathOf({ upload, event }: OutboxEntry): string {
    return join(this.#directory.path, nameOf(upload.id, event.type))
  }
}

function nameOf(uploadId: string, type: string): string {
  return `${uploadId}.${type}.json`
}
