import { isTusError, isUploadId, type InfoLister, type InfoStore } from 'tuskit'
import { NotAdoptable } from './old-upload.js'

/** Which upload of this server has which file, by the paths in its records. */
export class Owners {
  readonly #infoStore: InfoStore
  /** Ids by path. Most files are named after their upload, and are not in here. */
  readonly #ids = new Map<string, string>()

  constructor(infoStore: InfoStore) {
    this.#infoStore = infoStore
  }

  /** Reads all records. */
  async load(infoLister: InfoLister, signal: AbortSignal): Promise<void> {
    for await (const id of infoLister.ids({ signal })) {
      const path = await this.#recordedPath(id, signal)
      if (path !== undefined) this.note(path, id)
    }
  }

  /** Notes that a file is the data of an upload. */
  note(path: string, id: string): void {
    if (path !== id) this.#ids.set(path, id)
  }

  /** Returns the upload that has a file, if one has. */
  async ownerOf(path: string, signal: AbortSignal): Promise<string | undefined> {
    const id = this.#ids.get(path)
    if (id !== undefined || !isUploadId(path)) return id
    return (await this.#recordedPath(path, signal)) === path ? path : undefined
  }

  /** Throws if a file is the data of another upload than this one. */
  async check(path: string, id: string, signal: AbortSignal): Promise<void> {
    const owner = await this.ownerOf(path, signal)
    if (owner === undefined || owner === id) return
    throw new NotAdoptable(`its data is that of another upload, ${owner}`)
  }

  /** Returns the path in a record. An unreadable one most likely has data with its own name. */
  async #recordedPath(id: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await this.#infoStore.get(id, { signal }))?.storage.at['path']
    } catch (error) {
      // Of any other failure, nobody knows whose data it hides.
      if (isTusError(error, 'ERR_INFO_CORRUPT') || isTusError(error, 'ERR_INFO_FORMAT')) return id
      throw error
    }
  }
}
