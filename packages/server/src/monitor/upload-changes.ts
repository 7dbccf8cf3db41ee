import type { Metadata, Upload } from 'tuskit'
import type { Metrics } from './metrics.js'

/** The latest record that was read or written, and the bytes that were stored then. */
interface Seen {
  readonly upload: Upload
  readonly offset?: number | undefined
}

/** The number of removals without a tombstone that are remembered. */
const maxRemovals = 100

/**
 * Counts what becomes of uploads, from the calls of stores alone: hooks for it would make the
 * handler record the end of every upload, which costs a write.
 *
 * A record is changed by a copy that keeps its metadata, so the metadata of a new version leads to
 * the version that it replaces. Nothing is remembered longer than the handler remembers it.
 */
export class UploadChanges {
  readonly #metrics: Metrics
  readonly #seen = new WeakMap<Metadata, Seen>()
  /** Uploads whose tombstone did not fit: their removal is complete when the record is deleted. */
  readonly #removals = new Map<string, Upload>()

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  /** Notes a record that was read, or created. */
  read(upload: Upload): void {
    this.#see(upload, undefined)
  }

  /** Notes the bytes that are stored. */
  stored(upload: Upload, offset: number): void {
    this.#see(upload, offset)
  }

  /** A request without the lock may still use a record that has been replaced meanwhile. */
  #see(upload: Upload, offset: number | undefined): void {
    const seen = this.#seen.get(upload.metadata)
    const latest = seen && seen.upload.revision > upload.revision ? seen.upload : upload
    this.#seen.set(upload.metadata, { upload: latest, offset: offset ?? seen?.offset })
  }

  /** Notes that the data exists. */
  created(upload: Upload): void {
    this.#metrics.created.inc()
    if (upload.length === 0 && upload.finish === 'implied') this.#metrics.finished.inc()
  }

  /** Notes the result of an append. */
  appended({ finish, length }: Upload, from: number, offset: number): void {
    if (finish === 'implied' && offset === length && from < offset) this.#metrics.finished.inc()
  }

  /** Notes a changed record. */
  changed(upload: Upload): void {
    const before = this.#seen.get(upload.metadata)
    this.#seen.set(upload.metadata, { upload, offset: before?.offset })
    if (before === undefined) return
    if (before.upload.state.kind !== upload.state.kind) this.#ended(upload)
    else if (declaresEnd(before, upload)) this.#metrics.finished.inc()
  }

  /** Notes that a record could not be changed. */
  notChanged(upload: Upload): void {
    if (upload.state.kind !== 'gone') return
    this.#removals.set(upload.id, upload)
    if (this.#removals.size > maxRemovals)
      this.#removals.delete(this.#removals.keys().next().value!)
  }

  /** Notes that a record was deleted. */
  deleted(id: string): void {
    const upload = this.#removals.get(id)
    if (this.#removals.delete(id) && upload !== undefined) this.#ended(upload)
  }

  #ended({ id, state }: Upload): void {
    const { finished, rejected, terminated, expired } = this.#metrics
    this.#removals.delete(id)
    if (state.kind === 'finished') finished.inc()
    else if (state.kind === 'rejected') rejected.inc()
    else if (state.kind === 'gone' && state.cause === 'terminated') terminated.inc()
    else if (state.kind === 'gone' && state.cause === 'expired') expired.inc()
  }
}

/**
 * Whether the client has declared the length of an upload that is full already. If finishing it is
 * implied, nothing else shows that it is finished.
 */
function declaresEnd({ upload: before, offset }: Seen, { finish, length }: Upload): boolean {
  return finish === 'implied' && before.length === undefined && length === offset
}
