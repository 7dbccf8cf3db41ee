import { hasMediaType } from '../media-type.js'

/** Whether a Content-Type marks the body as bytes for an upload. */
export function isOffsetOctetStream(contentType: string | undefined): boolean {
  return hasMediaType(contentType, 'application/offset+octet-stream')
}
