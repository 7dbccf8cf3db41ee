import type { Stat } from '../capabilities/data-store.js'
import { TusError } from '../errors.js'
import type { Upload } from '../upload.js'
import type { Engine } from './engine.js'
import { exclusive, type Holder } from './exclusive.js'
import { load, loadFor } from './load.js'
import { measure, refuseExpired, tellableOffset } from './measure.js'
import { postponeExpiry } from './postpone-expiry.js'
import { receive, type Chunk, type Received } from './receive.js'
import { transition } from './transition.js'

/** A chunk for an upload that exists. */
export interface AppendRequest extends Chunk {
  readonly id: string
  /** Where the client believes that the upload stands. */
  readonly offset: number
  /** The total length, when the request declares it. Called when the offset is found to be right; may throw. */
  readonly length: () => number | undefined
  /** Called once it is known that the upload is there, with its offset: also a refusal may tell of it. */
  readonly announce?: (upload: Upload, offset: number) => void
}

/** Appends a chunk, and finishes the upload when that was the last one. */
export async function append(engine: Engine, request: AppendRequest): Promise<Received> {
  const { concat } = await loadFor(engine, 'append', request.id, request.exchange)
  // That never changes, so it is answered without the lock, which a concatenation may hold for long.
  if (concat?.kind === 'final') throw new TusError('ERR_FINAL_UPLOAD')
  return exclusive(engine, request.id, async (holder) => {
    holder.upload = await load(engine, request.id)
    const from = await measure(engine, holder.upload, holder)
    await refuseExpired(engine, holder.upload, from.offset)
    request.announce?.(holder.upload, from.offset)
    if (request.offset !== from.offset) {
      const offset = tellableOffset(holder.upload, from.offset)
      throw new TusError('ERR_OFFSET_MISMATCH', { offset })
    }
    const length = request.length()
    if (length !== undefined) await declareLength(engine, holder, from, length)
    await postponeExpiry(engine, holder, from)
    return receive(engine, holder, from, request)
  })
}

/** Records the length that a request declares (Creation With Deferred Length), before its body is looked at. */
async function declareLength(
  engine: Engine,
  holder: Holder,
  from: Stat,
  length: number,
): Promise<void> {
  const { upload } = holder
  if (length === upload.length) return
  if (upload.length !== undefined || length < from.offset) throw new TusError('ERR_LENGTH_MISMATCH')
  if (length > (upload.maxSize ?? Infinity)) throw new TusError('ERR_MAX_SIZE_EXCEEDED')
  await transition(engine, holder, { length })
}
