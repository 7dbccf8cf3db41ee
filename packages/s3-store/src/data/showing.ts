import type { AppendOptions } from 'tuskit'
import { assertMayChange } from 'tuskit/store-kit'
import { storedIn, type S3Stat } from './stored.js'
import type { UploadData } from './upload-data.js'

/**
 * Appends to an upload, and returns what is stored then. A small upload that was to come whole in
 * its creation has no tail. If its bytes are not stored, it gets one: without an object, it would
 * be missing.
 */
export async function showing(
  data: UploadData,
  stored: S3Stat,
  options: AppendOptions,
  append: () => Promise<S3Stat>,
): Promise<S3Stat> {
  if (stored.whole || stored.tail !== undefined || data.multipart !== undefined) return append()
  const show = async () => {
    assertMayChange(options)
    const empty = { start: 0, bytes: Buffer.alloc(0) }
    return storedIn([], await data.tail.write(undefined, empty, options.signal))
  }
  try {
    const after = await append()
    if (after !== stored) return after
  } catch (error) {
    // The storage may have failed altogether.
    await show().catch(() => {})
    throw error
  }
  return show()
}
