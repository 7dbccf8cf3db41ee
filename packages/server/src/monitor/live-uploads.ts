import type { Upload } from 'tuskit'
import { describe, LiveUpload, type Description } from './live-upload.js'
import type { EndedUpload, LiveState, LiveUploadReport, ReportedError } from './worker-report.js'

/** The number of uploads that are remembered while no request works on them. */
export const maxIdle = 500

/** Milliseconds for which they are remembered. */
export const idleFor = 3_600_000

/** The number of records that were read last, for requests that are about to ask for the lock. */
const maxRead = 100

/** The number of uploads whose end is remembered, because other processes may not know of it. */
export const maxEnded = 1000

/** The number of errors that are remembered. */
export const maxErrors = 50

/**
 * The unfinished uploads that this process knows. Memory is bounded. Connections limit how many
 * uploads requests work on at once. Apart from those, at most {@link maxIdle} are remembered,
 * {@link maxEnded} ids of those that ended, and {@link maxErrors} errors. To list or read records
 * makes no upload live.
 */
export class LiveUploads {
  readonly #active = new Map<string, LiveUpload>()
  /** In the order of their last use. */
  readonly #idle = new Map<string, LiveUpload>()
  readonly #read = new Map<string, Description>()
  readonly #ended = new Map<string, number>()
  #errors: readonly ReportedError[] = []

  /** Notes that a request works on an upload or waits for it. Call {@link LiveUploads.end}, too. */
  begin(id: string): LiveUpload {
    const upload = this.find(id) ?? new LiveUpload(id, this.#read.get(id))
    upload.uses++
    this.#idle.delete(id)
    this.#read.delete(id)
    this.#active.set(id, upload)
    return upload
  }

  /** Notes that a request that began has ended. */
  end(upload: LiveUpload): void {
    upload.touch()
    if (--upload.uses > 0) return
    this.#active.delete(upload.id)
    if (!upload.isKnown) return
    if (!upload.isOpen) return this.#noteEnd(upload.id)
    this.#idle.set(upload.id, upload)
    trim(this.#idle, maxIdle)
  }

  find(id: string): LiveUpload | undefined {
    return this.#active.get(id) ?? this.#idle.get(id)
  }

  /** Notes a record that was read or written. */
  describe(upload: Upload): void {
    const { id } = upload
    const known = this.find(id)
    if (known === undefined) {
      this.#read.delete(id)
      this.#read.set(id, describe(upload))
      trim(this.#read, maxRead)
      return
    }
    known.describe(describe(upload))
    if (!known.isOpen && this.#idle.delete(id)) this.#noteEnd(id)
  }

  /** Notes that there is no record. */
  forget(id: string): void {
    this.#read.delete(id)
    if (this.#idle.delete(id)) this.#noteEnd(id)
    this.#active.get(id)?.close()
  }

  #noteEnd(id: string): void {
    this.#ended.delete(id)
    this.#ended.set(id, Date.now())
    trim(this.#ended, maxEnded)
  }

  /** Notes an error that a request got. */
  noteError(error: ReportedError): void {
    this.#errors = [error, ...this.#errors].slice(0, maxErrors)
    if (error.uploadId !== undefined) this.find(error.uploadId)?.noteError(error.code)
  }

  /** The uploads that ended here. */
  get ended(): readonly EndedUpload[] {
    return [...this.#ended].map(([id, at]) => ({ id, at: new Date(at).toISOString() }))
  }

  /** The latest errors, the latest first. */
  get errors(): readonly ReportedError[] {
    return this.#errors
  }

  /** Returns how many uploads are in each state, without those that are idle. */
  count(stalledAfter: number): ReadonlyMap<LiveState, number> {
    const counts = new Map<LiveState, number>()
    for (const state of ['receiving', 'stalled', 'working', 'waiting'] as const)
      counts.set(state, 0)
    for (const upload of this.#active.values()) {
      const state = upload.state(stalledAfter)
      counts.set(state, counts.get(state)! + 1)
    }
    return counts
  }

  /** Returns the active uploads, then the idle ones, with those that were used last first. */
  report(worker: number, stalledAfter: number): LiveUploadReport[] {
    for (const [id, upload] of this.#idle) if (upload.quiet > idleFor) this.#idle.delete(id)
    const all = [...this.#active.values(), ...[...this.#idle.values()].reverse()]
    return all.filter(({ isOpen }) => isOpen).map((upload) => upload.report(worker, stalledAfter))
  }
}

/** Drops the oldest entries. */
function trim(entries: Map<string, unknown>, size: number): void {
  for (const key of entries.keys()) {
    if (entries.size <= size) return
    entries.delete(key)
  }
}
