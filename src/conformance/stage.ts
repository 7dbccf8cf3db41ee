import assert from 'node:assert/strict'
import type { AcquireOptions, Lock, Locker } from '../capabilities/locker.js'
import type { ErrorCode } from '../errors.js'
import type { StoreComposer, StoreSlots } from '../store-composer.js'
import type { UnplacedUpload, Upload } from '../upload.js'
import type { SlotName } from './cases.js'
import { never, started } from './gate.js'
import { TrialUpload } from './trial-upload.js'

/** Cases touch the slots that they need only, and those are filled. */
export type Slots = Readonly<Required<StoreSlots>>

export type Composer = Pick<StoreComposer, 'slots'>

/** What a {@link Stage} is made of. */
export interface StageOptions {
  readonly composer: Composer
  readonly another: Composer | undefined
  readonly unplug: (() => unknown) | undefined
  readonly damage: ((id: string) => unknown) | undefined
  readonly content: ((upload: Upload) => Promise<Uint8Array>) | undefined
  readonly memory: number
  readonly patience: number
}

/** What one case works with: a fresh subject, and uploads on it. */
export class Stage {
  readonly slots: Slots
  /** Those of a second instance over the same medium, or the same ones. */
  readonly others: Slots
  readonly unplug: () => unknown
  /** Damages the record of an id. */
  readonly damage: (id: string) => unknown
  readonly content: StageOptions['content']
  readonly memory: number
  readonly #patience: number
  readonly #cleanups: (() => unknown)[] = []
  #token = 0
  #ids = 0

  constructor(options: StageOptions) {
    this.slots = options.composer.slots() as Slots
    this.others = (options.another ?? options.composer).slots() as Slots
    this.unplug = options.unplug ?? (() => {})
    this.damage = options.damage ?? (() => {})
    this.content = options.content
    this.memory = options.memory
    this.#patience = options.patience
  }

  /** Whether the capability is claimed, for cases that look at more where there is more. */
  has(slot: SlotName): boolean {
    return this.slots[slot] !== undefined
  }

  /** An upload that has a place and nothing else. */
  upload(fields: Partial<UnplacedUpload> = {}): TrialUpload {
    const finish = this.has('finisher') ? 'recorded' : 'implied'
    const unplaced = recordOf(fields.id ?? `upload-${++this.#ids}`, { finish, ...fields })
    const storage = this.slots.dataStore.locate(unplaced)
    return new TrialUpload(this, { ...unplaced, storage })
  }

  /** An upload that was created. */
  async created(fields?: Partial<UnplacedUpload>): Promise<TrialUpload> {
    const upload = this.upload(fields)
    await upload.create()
    return upload
  }

  /** The token of the next holder. */
  nextToken(): number {
    return ++this.#token
  }

  /** Takes a lock that is released at the end of the case at the latest. */
  async acquire(
    id: string,
    options: Partial<AcquireOptions> = {},
    locker: Locker = this.slots.locker,
  ): Promise<Lock> {
    const lock = await locker.acquire(id, { signal: never, requestRelease: () => true, ...options })
    this.atEnd(() => lock.release())
    return lock
  }

  /** What has to happen, and soon: fails the case with a sentence when it does not. */
  async soon<T>(work: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const message = `Waited ${this.#patience} ms for ${what}`
      timer = setTimeout(() => reject(new assert.AssertionError({ message })), this.#patience)
    })
    try {
      return await Promise.race([started(work), late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Does something at the end of the case, whether it succeeds or not. */
  atEnd(work: () => unknown): void {
    this.#cleanups.push(work)
  }

  async close(): Promise<void> {
    for (const work of this.#cleanups) await work()
  }
}

/** A record without a place. */
export function recordOf(id: string, fields: Partial<UnplacedUpload> = {}): UnplacedUpload {
  return {
    id,
    revision: 1,
    protocol: 'tus',
    metadata: { raw: '', values: Object.create(null) as Record<string, string> },
    createdAt: '2026-01-02T03:04:05.678Z',
    finish: 'implied',
    state: { kind: 'open' },
    ...fields,
  }
}

/** Asserts that `work` rejects with an error of this code, or with exactly this reason. */
export async function rejects(
  work: () => unknown,
  expected: ErrorCode | Error,
  what = 'it',
): Promise<void> {
  let outcome: unknown
  try {
    outcome = await work()
  } catch (error) {
    const found = typeof expected === 'string' ? (error as { code?: unknown })?.code : error
    if (found === expected) return
    const message = `${what} should reject with ${String(expected)}, and rejected with ${String(error)}`
    throw new assert.AssertionError({ message, actual: error, expected })
  }
  const message = `${what} should reject with ${String(expected)}, and succeeded`
  throw new assert.AssertionError({ message, actual: outcome, expected })
}
