import { isTusError, isUploadId, type InfoLister, type InfoStore } from 'tuskit'
import type { OldSource } from './old-source.js'
import { NotAdoptable } from './old-upload.js'

/** Which upload of this server has which file or object, by the places in its records. */
export class Owners {
  readonly #infoStore: InfoStore
  readonly #term: OldSource['term']
  /** Ids by place. Most files are named after their upload, and are not in here. */
  readonly #ids = new Map<string, string>()

  constructor(infoStore: InfoStore, term: OldSource['term']) {
    this.#infoStore = infoStore
    this.#term = term
  }

  /** Reads all records. */
  async load(infoLister: InfoLister, signal: AbortSignal): Promise<void> {
    for await (const id of infoLister.ids({ signal })) {
      const place = await this.#recordedPlace(id, signal)
      if (place !== undefined && place !== id) this.#ids.set(place, id)
    }
  }

  /** Notes that a file or object is the data of an upload. Throws if it is that of another one. */
  note(place: string, id: string): void {
    refuseOther(this.#ids.get(place), id)
    if (place !== id) this.#ids.set(place, id)
  }

  /** Returns the upload that has a file or object, if one has. */
  async ownerOf(place: string, signal: AbortSignal): Promise<string | undefined> {
    const id = this.#ids.get(place)
    if (id !== undefined || !isUploadId(place)) return id
    return (await this.#recordedPlace(place, signal)) === place ? place : undefined
  }

  /** Throws if a file or object is the data of another upload than this one. */
  async check(place: string, id: string, signal: AbortSignal): Promise<void> {
    refuseOther(await this.ownerOf(place, signal), id)
  }

  /** Returns the place in a record. An unreadable one most likely has data with its own name. */
  async #recordedPlace(id: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await this.#infoStore.get(id, { signal }))?.storage.at[this.#term]
    } catch (error) {
      // Of any other failure, nobody knows whose data it hides.
      if (isTusError(error, 'ERR_INFO_CORRUPT') || isTusError(error, 'ERR_INFO_FORMAT')) return id
      throw error
    }
  }
}

function refuseOther(owner: string | undefined, id: string): void {
  if (owner === undefined || owner === id) return
  throw new NotAdoptable(`its data is that of another upload, ${owner}`)
}
