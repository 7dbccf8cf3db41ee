import { TusError, type Upload, type WriteOptions } from 'tuskit'
import { assertMayChange } from 'tuskit/store-kit'
import type { StoredPart } from '../bucket/multipart-uploads.js'
import type { Settings } from '../settings.js'
import { planCopies, type SourceRange } from './copy-plan.js'
import type { UploadData } from './upload-data.js'

/**
 * Stores the bytes of finished uploads, one after another, as the object of another one. The
 * service copies them, except where parts would be too small: those bytes pass through this
 * process.
 */
export async function concatenateObjects(
  final: UploadData,
  partials: readonly Upload[],
  options: WriteOptions,
  settings: Settings,
): Promise<void> {
  const { signal } = options
  const sizes = partials.map(({ length }) => length!)
  const total = sizes.reduce((sum, size) => sum + size, 0)
  if ((await final.whole(signal))?.offset === total) return
  const read = (ranges: readonly SourceRange[]) => readRanges(partials, ranges, settings, signal)
  const { profile, partSize, parallel } = settings
  const needed = Math.ceil(total / profile.maxParts / partSize) * partSize
  const parts = planCopies(sizes, profile, Math.max(partSize, needed))
  if (parts.length <= 1 && total <= profile.minPartSize) {
    const bytes = await read(parts[0] ?? [])
    assertMayChange(options)
    // An earlier attempt may have had other parts.
    await final.bucket.put(final.key, bytes, signal, final.parameters)
    return
  }
  if (parts.length > profile.maxParts) {
    const cause = new Error(`The concatenation would have ${parts.length} parts`)
    throw new TusError('ERR_MAX_SIZE_EXCEEDED', { cause })
  }
  const { bucket, key } = final
  // An earlier attempt may have left one.
  for (const earlier of await bucket.multipart.idsOf(key, signal)) {
    assertMayChange(options)
    await bucket.multipart.abort(key, earlier, signal)
  }
  assertMayChange(options)
  const multipart = await bucket.multipart.create(key, signal, final.parameters)
  const stored: StoredPart[] = []
  const store = async (ranges: readonly SourceRange[], index: number) => {
    const [first, ...others] = ranges
    const { source, start, end } = first!
    // S3 copies ranges only of objects that are larger than the smallest part.
    if (others.length > 0 || end - start + 1 < profile.minPartSize) {
      const bytes = await settings.slots.use(signal, () => read(ranges))
      assertMayChange(options)
      return bucket.multipart.putPart(key, multipart, index + 1, bytes, signal)
    }
    assertMayChange(options)
    const { at } = partials[source]!.storage
    const from = { bucket: at.bucket!, key: at.key! }
    const range = start === 0 && end === sizes[source]! - 1 ? undefined : { start, end }
    const copied = await bucket.multipart.copyPart(key, multipart, index + 1, from, signal, range)
    // It rejects if the source is what is missing.
    if (copied === undefined) await read([{ source, start, end: start }])
    return copied
  }
  try {
    let next = 0
    const work = async () => {
      while (next < parts.length) {
        const index = next++
        const part = await store(parts[index]!, index)
        if (part === undefined) throw new TusError('ERR_STORAGE_UNAVAILABLE')
        stored[index] = part
      }
    }
    const stop = (error: unknown) => {
      next = parts.length
      throw error
    }
    const workers = Array.from({ length: parallel }, () => work().catch(stop))
    await Promise.all(workers).finally(() => Promise.allSettled(workers))
    assertMayChange(options)
    await bucket.multipart.complete(key, multipart, stored, signal)
  } catch (error) {
    // A later attempt starts again. Without this, the parts remain until then.
    if (!signal.aborted && options.fence.held()) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(cleanupTimeout)])
      await bucket.multipart.abort(key, multipart.upload, limit).catch(() => {})
    }
    throw error
  }
}

const cleanupTimeout = 5_000

/** Returns the bytes of some ranges. Together they are at most one part. */
async function readRanges(
  partials: readonly Upload[],
  ranges: readonly SourceRange[],
  settings: Settings,
  signal: AbortSignal,
): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (const { source, ...range } of ranges) {
    const { bucket, key } = partials[source]!.storage.at
    const found = await settings.bucketOf(bucket!).read(key!, signal, range)
    if (found === undefined) throw new TusError('ERR_DATA_MISSING')
    if (found.bytes.length !== range.end - range.start + 1) {
      const cause = new Error(`A range of ${key} has ${found.bytes.length} bytes`)
      throw new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
    }
    pieces.push(found.bytes)
  }
  return Buffer.concat(pieces)
}
