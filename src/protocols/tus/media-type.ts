import { hasMediaType } from '../media-type.js'

/** Whether a Content-Type says that the body is bytes for an upload. */
export function isOffsetOctetStream(contentType: string | undefined): boolean {
  return hasMediaType(contentType, 'application/offset+octet-stream')
}
