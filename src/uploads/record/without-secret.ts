import type { Upload } from '../../upload.js'

/** Returns the record for hooks and the application, without what only the store may know. */
export function withoutSecret(upload: Upload): Upload {
  const { secret, ...storage } = upload.storage
  return secret === undefined ? upload : { ...upload, storage }
}
