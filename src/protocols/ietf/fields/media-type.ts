import { hasMediaType } from '../../media-type.js'

/** The media type of appended bytes (IETF draft, Media Type). */
export const partialUpload = 'application/partial-upload'

/** Whether a Content-Type says that the body is a chunk of an upload. */
export function isPartialUpload(contentType: string | undefined): boolean {
  return hasMediaType(contentType, partialUpload)
}
