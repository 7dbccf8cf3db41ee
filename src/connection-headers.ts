/** Headers about one connection, not about what is sent over it (RFC 9110 section 7.6.1). */
const connectionHeaders: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding'],
  'upgrade',
])

/** Returns whether a header is about the connection. */
export function isConnectionHeader(name: string): boolean {
  return connectionHeaders.has(name.toLowerCase())
}

/**
 * Returns the headers without those about the connection, which HTTP/2 refuses and which would
 * confuse HTTP/1.
 */
export function withoutConnectionHeaders<Value>(
  headers: Readonly<Record<string, Value>>,
): Record<string, Value> {
  const entries = Object.entries(headers)
  return Object.fromEntries(entries.filter(([name]) => !isConnectionHeader(name)))
}
