import type { Upload } from '../../upload.js'

/** Returns `Upload-Expires` for an upload that is not full (Expiration). */
export function expiresHeader(
  { expiresAt, length }: Upload,
  offset: number | undefined,
): { readonly 'upload-expires'?: string } {
  if (expiresAt === undefined || (offset !== undefined && offset === length)) return {}
  return { 'upload-expires': new Date(expiresAt).toUTCString() }
}
