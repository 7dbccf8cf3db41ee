/** Whether a Content-Type says that the body is bytes for an upload. Case and parameters do not matter. */
export function isOffsetOctetStream(contentType: string | undefined): boolean {
  const [type = ''] = (contentType ?? '').split(';', 1)
  return type.trim().toLowerCase() === 'application/offset+octet-stream'
}
