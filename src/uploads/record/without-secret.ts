import type { Upload } from '../../upload.js'

/** The record as hooks and the application see it: what only the store may know stays out. */
export function withoutSecret(upload: Upload): Upload {
  const { secret, ...storage } = upload.storage
  return secret === undefined ? upload : { ...upload, storage }
}
