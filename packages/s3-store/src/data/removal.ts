import type { WriteOptions } from 'tuskit'
import { assertMayChange } from 'tuskit/store-kit'
import { endsWithId } from './place.js'
import type { UploadData } from './upload-data.js'

/**
 * Removes the object of an upload, its tail, and all multipart uploads of its key: also one whose
 * id was never recorded, and what another server has left. Leaves another upload alone that got the
 * same key before it.
 */
export async function removeObjects(data: UploadData, options: WriteOptions): Promise<void> {
  const { bucket, key, tail, upload } = data
  const { signal } = options
  // The tail is created first and deleted last, so whose it is decides whose the key is.
  const isOwner =
    data.isAdopted || endsWithId(key, upload.id) || (await tail.head(signal)) !== undefined
  if (isOwner) {
    for (const multipart of await bucket.multipart.idsOf(key, signal)) {
      assertMayChange(options)
      await bucket.multipart.abort(key, multipart, signal)
    }
  }
  if ((await data.whole(signal)) !== undefined) {
    assertMayChange(options)
    await bucket.delete(key, signal)
  }
  if (!isOwner) return
  for (const leftover of data.leftovers) {
    assertMayChange(options)
    await bucket.delete(leftover, signal)
  }
  assertMayChange(options)
  await tail.delete(signal)
}
