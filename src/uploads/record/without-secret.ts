import type { Upload } from '../../upload.js'

/** Returns the record for hooks and the application, without what only the store may know. */
export function withoutSecret(upload: Upload): Upload {
  const { moving, ...rest } = upload
  const { secret, ...storage } = upload.storage
  return secret === undefined && moving === undefined ? upload : { ...rest, storage }
}
