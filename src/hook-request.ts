import type { IncomingMessage } from 'node:http'

/** The request that caused an event, as plain data. */
export interface HookRequest {
  readonly method: string
  /** Path and query, as in the request line. */
  readonly target: string
  /** All values of each header, in their order. Names are in lower case. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  /** The peer of the connection: a proxy, if there is one. Absent for a Unix domain socket. */
  readonly remoteAddress?: string
  readonly remotePort?: number
}

/** Returns a request as plain data. */
export function hookRequestOf(request: IncomingMessage): HookRequest {
  const { method = '', url = '', rawHeaders, headers, socket } = request
  // Routers shorten `url`.
  const { originalUrl = url } = request as { originalUrl?: string }
  // Requests over HTTP/2 have no `headersDistinct`.
  const values = new Map<string, string[]>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (name.startsWith(':')) continue
    values.set(name, [...(values.get(name) ?? []), rawHeaders[i + 1]!])
  }
  const authority = headers[':authority']
  if (typeof authority === 'string' && !values.has('host')) values.set('host', [authority])
  const { remoteAddress, remotePort } = socket
  return {
    method,
    target: originalUrl,
    headers: Object.fromEntries(values),
    ...(remoteAddress !== undefined && { remoteAddress, remotePort: remotePort! }),
  }
}
