import type { Registry } from 'prom-client'

/** Metrics as plain data, from which the pages of several processes can be added up. */
export type MetricsJson = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

/**
 * The state of an upload in one process.
 *
 * - `receiving`: a request sends its bytes, or the store is busy with them.
 * - `stalled`: a request should send bytes, and has sent none for `stalledAfter`.
 * - `working`: the lock is held for something else, such as finishing, a hook or a removal.
 * - `waiting`: a request waits for the lock, which this process does not hold.
 * - `idle`: no request works on it. Its client may come back.
 */
export type LiveState = 'receiving' | 'stalled' | 'working' | 'waiting' | 'idle'

/** The process that holds the lock of an upload. */
export interface LiveHolder {
  readonly worker: number
  /** ISO 8601, UTC. */
  readonly since: string
  /** Milliseconds since then. */
  readonly for: number
}

/** A kind of error that requests for an upload got. */
export interface LiveError {
  readonly code: string
  readonly count: number
  /** The latest one: ISO 8601, UTC. */
  readonly at: string
}

/** An unfinished upload, as one process knows it. */
export interface LiveUploadReport {
  readonly id: string
  /** The name in the metadata, shortened. Absent if there is none, or the record is not known. */
  readonly name?: string
  /** Bytes that are stored, as far as this process knows. */
  readonly offset?: number
  /** Bytes of the whole upload. Absent while the client has not declared them. */
  readonly length?: number
  /** Bytes per second that arrive here, on average over the last seconds. */
  readonly bytesPerSecond: number
  /** Time of the creation: ISO 8601, UTC. Absent while the record is not known. */
  readonly startedAt?: string
  /** Milliseconds since the creation. */
  readonly age?: number
  /** Milliseconds since a request last did something with the upload here. 0 while one does. */
  readonly quiet: number
  readonly state: LiveState
  /** Absent if this process is not known to hold the lock. */
  readonly holder?: LiveHolder
  readonly errors: readonly LiveError[]
}

/** An upload that was finished, rejected or removed. */
export interface EndedUpload {
  readonly id: string
  /** ISO 8601, UTC. An application that chooses ids may use the id again afterwards. */
  readonly at: string
}

/** A response to an error. */
export interface ReportedError {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly method: string
  readonly code: string
  readonly status: number
  /** Absent if the request named no upload. */
  readonly uploadId?: string
}

/** Everything that one serving process observes, as plain data that can cross process borders. */
export interface WorkerReport {
  /** The number of the process among those that serve. */
  readonly worker: number
  readonly pid: number
  /** When the process began to observe: ISO 8601, UTC. */
  readonly startedAt: string
  readonly metrics: MetricsJson
  /** Those that requests work on first. See `LiveUploads` for how many. */
  readonly uploads: readonly LiveUploadReport[]
  /** Uploads that ended here lately. Other processes may still report them as idle. */
  readonly ended: readonly EndedUpload[]
  /** The latest errors, the latest first. */
  readonly errors: readonly ReportedError[]
}
