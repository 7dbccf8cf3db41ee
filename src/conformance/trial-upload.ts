import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { ByteRange } from '../capabilities/content-reader.js'
import type { Stat } from '../capabilities/data-store.js'
import type { AppendOptions, CreateOptions } from '../capabilities/call-options.js'
import type { Upload } from '../upload.js'
import { never } from './gate.js'
import { assertSame, readContent } from './read-content.js'
import type { Slots, Stage } from './stage.js'
import { bodyOf, type Sent, type TrialBody } from './trial-body.js'

/** What is special about a turn of the lock. */
export interface TurnOptions {
  readonly signal?: AbortSignal
  /** What the fence answers. Default: that the lock is held. */
  readonly held?: () => boolean
  /** Whether an earlier holder never let go. */
  readonly forced?: boolean
  readonly incoming?: CreateOptions['incoming']
  /** Called with each offset that is announced. */
  readonly onProgress?: (offset: number) => void
}

/** The options of all operations of a turn, and what was announced in it. */
export interface Turn extends AppendOptions, CreateOptions {
  readonly announced: readonly number[]
}

/** What must be left before an upload goes on: from `low` to `high` bytes. */
export interface Resumption extends TurnOptions {
  readonly low?: number
  readonly high?: number
}

/** One upload, driven as the handler drives uploads: under a lock, from what `stat` says, with the record kept. */
export class TrialUpload {
  readonly #stage: Stage
  /** The instance that does the work. */
  slots: Slots
  record: Upload
  #finished = false

  constructor(stage: Stage, record: Upload) {
    this.#stage = stage
    this.slots = stage.slots
    this.record = record
  }

  /** A new turn of the lock. Its holder has read the record anew. */
  turn(options: TurnOptions = {}): Turn {
    this.record = copyOf(this.record)
    const announced: number[] = []
    return {
      signal: options.signal ?? never,
      fence: {
        token: this.#stage.nextToken(),
        forced: options.forced ?? false,
        held: options.held ?? (() => true),
        shutOut: () => {},
      },
      saveSecret: async (secret) => {
        const { record } = this
        const storage = { ...record.storage, secret }
        this.record = copyOf({ ...record, revision: record.revision + 1, storage })
      },
      incoming: options.incoming ?? 'nothing',
      announced,
      progress(offset) {
        announced.push(offset)
        options.onProgress?.(offset)
      },
    }
  }

  async create(options?: TurnOptions): Promise<void> {
    const turn = this.turn(options)
    await this.slots.dataStore.create(this.record, turn)
  }

  /** Creates the upload with bytes, in one turn. */
  async createWith(sent: Sent, options: TurnOptions): Promise<Stat> {
    const turn = this.turn(options)
    await this.slots.dataStore.create(this.record, turn)
    return this.#append({ offset: 0 }, bodyOf(sent), turn)
  }

  /** What a reader is told, who has read the record anew. */
  stat(slots: Slots = this.#stage.others): Promise<Stat> {
    return slots.dataStore.stat(copyOf(this.record), { signal: never })
  }

  async append(sent: Sent, options?: TurnOptions): Promise<Stat> {
    const turn = this.turn(options)
    return this.#append(await this.stat(this.slots), bodyOf(sent), turn)
  }

  async #append(from: Stat, body: TrialBody, turn: Turn): Promise<Stat> {
    const stored = await this.slots.dataStore.append(this.record, from, body, turn)
    assert.ok(isRead(body), 'The body is read to its end')
    assert.equal(stored.offset, from.offset + body.given, 'append returns what is stored then')
    assertAnnounced(turn, from, stored)
    return stored
  }

  /** Appends a chunk with a checksum. By default it turns out to be right. */
  async appendVerified(
    sent: Sent,
    accept: () => Promise<boolean> = async () => true,
    options?: TurnOptions,
  ): Promise<Stat> {
    const turn = this.turn(options)
    const from = await this.stat(this.slots)
    const body = bodyOf(sent)
    const verdicts: (boolean | undefined)[] = []
    const asked = async () => {
      assert.ok(isRead(body), 'accept is called after the end of the body')
      const call = verdicts.push(undefined)
      assert.equal(call, 1, 'accept is called once')
      return (verdicts[0] = await accept())
    }
    const appender = this.slots.verifiedAppender
    const stored = await appender.appendVerified(this.record, from, body, asked, turn)
    assert.equal(verdicts.length, 1, 'accept is called once')
    const counted = verdicts[0] === true ? body.given : 0
    assert.equal(stored.offset, from.offset + counted, 'appendVerified returns what counts then')
    assertAnnounced(turn, from, stored)
    return stored
  }

  async finish(options?: TurnOptions): Promise<void> {
    const turn = this.turn(options)
    await this.slots.finisher.finish(this.record, await this.stat(this.slots), turn)
  }

  async terminate(options?: TurnOptions): Promise<void> {
    const turn = this.turn(options)
    await this.slots.terminator.terminate(this.record, turn)
  }

  async concatenate(partials: readonly TrialUpload[], options?: TurnOptions): Promise<void> {
    const records = partials.map(({ record }) => copyOf(record))
    const turn = this.turn(options)
    await this.slots.concatenator.concatenate(this.record, records, turn)
  }

  /** What is stored, by the contentReader slot where it is claimed. */
  async content(range?: ByteRange): Promise<Readable> {
    const { contentReader } = this.#stage.others
    if (contentReader) return readContent(contentReader, copyOf(this.record), range)
    return Readable.from([await this.#stage.content!(copyOf(this.record))], { objectMode: false })
  }

  /** What is due when all bytes are there: the length is declared, and the upload finished where that is an act. */
  async whole(length: number): Promise<void> {
    assert.equal((await this.stat()).offset, length, 'stat tells what is stored')
    this.record = { ...this.record, length }
    if (this.#finished || !this.#stage.has('finisher')) return
    await this.finish()
    this.#finished = true
  }

  /** Asserts that exactly this is stored, and ends the upload. */
  async expectContent(expected: string | Buffer): Promise<void> {
    const bytes = Buffer.from(expected)
    await this.whole(bytes.length)
    assertSame(await buffer(await this.content()), bytes)
  }

  /** What a client does after whatever happened: asks for the offset, sends the rest. */
  async resume(
    data: Buffer,
    { low = 0, high = data.length, ...turn }: Resumption = {},
  ): Promise<void> {
    const { offset } = await this.stat()
    assert.ok(
      low <= offset && offset <= high,
      `From ${low} to ${high} bytes are stored, not ${offset}`,
    )
    if (offset < data.length) await this.append(data.subarray(offset), turn)
    await this.expectContent(data)
  }
}

/** A store that knows the size need not wait for the end. */
function isRead({ ended, given, size }: TrialBody): boolean {
  return ended || given === size
}

function assertAnnounced({ announced }: Turn, from: Stat, stored: Stat): void {
  let last = from.offset
  for (const offset of announced) {
    assert.ok(offset >= last, `progress never decreases: ${offset} came after ${last}`)
    last = offset
  }
  assert.equal(last, stored.offset, 'progress tells of all that is stored, and of nothing else')
}

/** What another process would read. */
function copyOf(record: Upload): Upload {
  const copy = JSON.parse(JSON.stringify(record)) as Upload
  Object.setPrototypeOf(copy.metadata.values, null)
  return copy
}
