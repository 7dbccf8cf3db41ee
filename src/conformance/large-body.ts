import { createHash } from 'node:crypto'
import { MemoryWatch } from './memory-watch.js'
import type { Stage } from './stage.js'
import { TrialBody } from './trial-body.js'

const mebibyte = 1024 * 1024
const bufferSize = 64 * 1024

/** Larger than the memory that an upload may take. */
export interface LargeBody {
  readonly body: TrialBody
  readonly size: number
  /** Of all bytes, once they were read. */
  digest(): string
  /** Looked at while the body is read. */
  readonly memory: MemoryWatch
}

/** A body of four times the memory that is claimed. A batch is made when the store asks for it. */
export async function largeBody({ slots, memory: claimed }: Stage): Promise<LargeBody> {
  const wanted = claimed === Infinity ? 16 * mebibyte : 4 * claimed
  const size = Math.min(wanted, slots.dataStore.maxSize)
  const hash = createHash('sha1')
  const memory = await MemoryWatch.begin()
  async function* batches() {
    for (let start = 0; start < size; start += mebibyte) {
      const batch = batchOf(start, Math.min(size, start + mebibyte))
      for (const buffer of batch) hash.update(buffer)
      yield batch
      if (start % (4 * mebibyte) === 0) await memory.look()
    }
    await memory.look()
  }
  return { body: new TrialBody(batches(), size), size, digest: () => hash.digest('hex'), memory }
}

/** Bytes that say where they belong. */
function batchOf(start: number, end: number): Buffer[] {
  const batch: Buffer[] = []
  for (let position = start; position < end; position += bufferSize) {
    batch.push(Buffer.alloc(Math.min(bufferSize, end - position), `${position};`))
  }
  return batch
}
