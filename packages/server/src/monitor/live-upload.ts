import type { Lock, Upload } from 'tuskit'
import type { ObservedBody } from './observed-body.js'
import { Speed } from './speed.js'
import type { LiveError, LiveHolder, LiveState, LiveUploadReport } from './worker-report.js'

/** Bounds the memory of one upload. */
const maxName = 200
const maxErrorCodes = 5

/** The parts of a record that are shown. */
export interface Description {
  readonly name: string | undefined
  readonly length: number | undefined
  readonly createdAt: string
  /** Whether the record says that bytes can still come. */
  readonly open: boolean
  /** Whether full bytes are the end. */
  readonly endsWhenFull: boolean
}

/** Returns the parts of a record that are shown, without a reference to the record. */
export function describe({ metadata, length, createdAt, state, finish }: Upload): Description {
  const { name, filename = name } = metadata.values
  return {
    name: filename && shortened(filename),
    length,
    createdAt,
    open: state.kind === 'open',
    endsWhenFull: finish === 'implied',
  }
}

/** Copies a long name: a slice would keep all of the metadata in memory. */
function shortened(name: string): string {
  return name.length <= maxName ? name : Buffer.from(name.slice(0, maxName)).toString()
}

/** An upload that requests of this process work on, or have worked on. */
export class LiveUpload {
  readonly id: string
  readonly speed = new Speed()
  readonly #errors = new Map<string, { count: number; at: number }>()
  #description: Description | undefined
  #body: ObservedBody | undefined
  #bodySince = 0
  #lock: { readonly lock: Pick<Lock, 'held'>; readonly since: number } | undefined
  #lastUse = performance.now()
  /** The number of requests that work on it or wait for it. */
  uses = 0
  /** Bytes that are stored, once that is known. */
  offset: number | undefined

  constructor(id: string, description: Description | undefined) {
    this.id = id
    this.#description = description
  }

  /** Whether it may still get bytes. */
  get isOpen(): boolean {
    if (this.#description === undefined) return true
    const { open, endsWhenFull, length } = this.#description
    return open && !(endsWhenFull && length !== undefined && this.offset === length)
  }

  /** Whether there was a record. A creation may have been refused before. */
  get isKnown(): boolean {
    return this.#description !== undefined
  }

  /** Notes the record. */
  describe(description: Description): void {
    this.#description = description
  }

  /** Notes that there is no record any more. */
  close(): void {
    if (this.#description) this.#description = { ...this.#description, open: false }
  }

  /** Notes that a store begins to read a body. Returns a function that notes the end. */
  receive(body: ObservedBody): () => void {
    this.#body = body
    this.#bodySince = performance.now()
    return () => {
      if (this.#body === body) this.#body = undefined
    }
  }

  /** Notes that this process has got the lock. Returns a function that notes its release. */
  hold(lock: Pick<Lock, 'held'>): () => void {
    const held = { lock, since: performance.now() }
    this.#lock = held
    return () => {
      if (this.#lock === held) this.#lock = undefined
    }
  }

  /** Notes that a request has done something. */
  touch(): void {
    this.#lastUse = performance.now()
  }

  noteError(code: string): void {
    const { count } = this.#errors.get(code) ?? { count: 0 }
    this.#errors.delete(code)
    this.#errors.set(code, { count: count + 1, at: Date.now() })
    if (this.#errors.size > maxErrorCodes) this.#errors.delete(this.#errors.keys().next().value!)
  }

  /** Milliseconds since a request last did something with it. */
  get quiet(): number {
    return this.uses > 0 ? 0 : performance.now() - this.#lastUse
  }

  state(stalledAfter: number): LiveState {
    if (this.#body !== undefined && !this.#body.ended) {
      return this.#body.idleTime >= stalledAfter ? 'stalled' : 'receiving'
    }
    if (this.#body !== undefined || this.#lock?.lock.held()) return 'working'
    return this.uses > 0 ? 'waiting' : 'idle'
  }

  report(worker: number, stalledAfter: number): LiveUploadReport {
    const { name, length, createdAt } = this.#description ?? {}
    return {
      id: this.id,
      ...(name !== undefined && { name }),
      ...(this.offset !== undefined && { offset: this.offset }),
      ...(length !== undefined && { length }),
      bytesPerSecond: Math.round(this.speed.read()),
      ...(createdAt !== undefined && {
        startedAt: createdAt,
        age: Math.max(0, Date.now() - Date.parse(createdAt)),
      }),
      quiet: Math.round(this.quiet),
      state: this.state(stalledAfter),
      ...this.#holder(worker),
      errors: [...this.#errors].map(([code, { count, at }]): LiveError => {
        return { code, count, at: new Date(at).toISOString() }
      }),
    }
  }

  #holder(worker: number): { readonly holder?: LiveHolder } {
    // Bytes come only under the lock, even if the handler keeps its locks to itself.
    const bodySince = this.#body && this.#bodySince
    const since = this.#lock?.lock.held() ? this.#lock.since : bodySince
    if (since === undefined) return {}
    const time = Math.round(performance.now() - since)
    return { holder: { worker, since: new Date(Date.now() - time).toISOString(), for: time } }
  }
}
