import { TusError, type WriteOptions } from 'tuskit'
import { assertMayChange } from 'tuskit/store-kit'
import type { S3Stat } from './stored.js'
import type { UploadData } from './upload-data.js'

/** Makes the finished object of what is stored. Can be repeated. */
export async function completeObject(
  data: UploadData,
  stored: S3Stat,
  options: WriteOptions,
): Promise<void> {
  const { bucket, key, multipart } = data
  const { signal } = options
  const { offset } = stored
  const rest = await data.restOf(stored, signal)
  assertMayChange(options)
  if (multipart === undefined || offset === 0) {
    await data.putWhole(rest, signal)
    if (multipart !== undefined) await bucket.multipart.abort(key, multipart.upload, signal)
    return
  }
  const parts = [...stored.parts]
  if (rest.length > 0) {
    const number = parts.length + 1
    const part = await bucket.multipart.putPart(key, multipart, number, rest, signal)
    if (part !== undefined) parts.push(part)
    assertMayChange(options)
  }
  if (await bucket.multipart.complete(key, multipart, parts, signal)) return
  // It may have been completed before, by a request whose response was lost.
  const whole = await data.whole(signal)
  if (whole?.offset !== offset) throw new TusError('ERR_STORAGE_UNAVAILABLE')
}
