import { TusError } from '../errors.js'
import type { Upload } from '../upload.js'

/**
 * Throws `ERR_INFO_CONFLICT` unless `next` may replace `stored`: there is a record, and the
 * revision of `next` is the one that follows.
 *
 * The check alone is not enough where several processes share the records. Between it and the
 * write, another process may write the same revision, so check and write in one transaction, or
 * write under a condition.
 *
 * @param stored - The record in the storage, or `undefined` if there is none.
 * @param next - The record that {@link InfoStore.update} got.
 *
 * @example
 * async update(upload, { signal }) {
 *   await this.#database.transaction(async (rows) => {
 *     const text = await rows.get(upload.id)
 *     assertNextRevision(text && parseUpload(text), upload)
 *     await rows.set(upload.id, serializeUpload(upload))
 *   })
 * }
 */
export function assertNextRevision(stored: Upload | undefined, next: Upload): void {
  if (stored === undefined || stored.revision + 1 !== next.revision) {
    throw new TusError('ERR_INFO_CONFLICT')
  }
}
