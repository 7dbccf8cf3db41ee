/** Whether a Content-Type is the given media type. Case and parameters do not matter. */
export function hasMediaType(contentType: string | undefined, mediaType: string): boolean {
  const [type = ''] = (contentType ?? '').split(';', 1)
  return type.trim().toLowerCase() === mediaType
}
