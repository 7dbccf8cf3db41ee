import type { ListedUpload, Upload } from 'tuskit'
import { codeOf, reasonOf } from '../../explain.js'

/** Returns an upload in one line of JSON, without what only its store may know. */
export function toJson(listed: ListedUpload): string {
  if (listed.state === 'unreadable') {
    const { id, state, error } = listed
    return JSON.stringify({ id, state, code: codeOf(error), error: reasonOf(error) })
  }
  const { id, state, offset, upload } = listed
  return JSON.stringify({ id, state, offset, upload: withoutSecrets(upload) })
}

/** Returns a record without the secrets of its store. */
export function withoutSecrets({ moving, ...upload }: Upload): Upload {
  const { secret: _secret, ...storage } = upload.storage
  if (moving === undefined) return { ...upload, storage }
  const { secret: _, ...rest } = moving
  return { ...upload, storage, moving: rest }
}
