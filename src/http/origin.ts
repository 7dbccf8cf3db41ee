import type { IncomingHttpHeaders } from 'node:http'
import { isIPv6 } from 'node:net'
import { parseForwarded } from './parse-forwarded.js'
import { parsePrefix } from './route.js'
import type { CountTrusted } from './trust-proxy.js'

/** The parts of a request that {@link publicOrigin} reads. */
export interface OriginSource {
  readonly headers: IncomingHttpHeaders
  /** Whether the connection to this server uses TLS. */
  readonly encrypted: boolean
  /** The address of the connection to this server. Absent for a Unix domain socket. */
  readonly peer: string | undefined
}

/** The server's address as the client sees it. */
export interface PublicOrigin {
  /** Scheme, host, and the port unless it is the default: `https://example.org`. */
  readonly origin: string
  /** The path prefix that proxies removed: empty, or with a leading slash and no trailing one. */
  readonly prefix: string
}

/**
 * Returns the server's address as the client sees it. `Forwarded` takes precedence over
 * `X-Forwarded-*`, which take precedence over the request itself. Malformed values are ignored.
 * Returns `undefined` when there is no usable host.
 */
export function publicOrigin(
  { headers, encrypted, peer }: OriginSource,
  countTrusted: CountTrusted,
): PublicOrigin | undefined {
  const elements = parseForwarded(text(headers['forwarded']))
  const addresses = elements.map((element) => element.get('for'))
  const forwarded = outermost(elements, countTrusted(peer, addresses))
  const hops = countTrusted(peer, list(headers['x-forwarded-for']))
  const entry = (name: string) => outermost(list(headers[`x-forwarded-${name}`]), hops)

  const scheme =
    parseScheme(forwarded?.get('proto')) ??
    parseScheme(entry('proto')) ??
    (encrypted ? 'https' : 'http')
  const host =
    parseHost(forwarded?.get('host')) ??
    withPort(
      parseHost(entry('host')) ?? parseHost(text(headers[':authority'] ?? headers.host)),
      entry('port'),
    )
  if (host === undefined) return undefined

  const standard = scheme === 'https' ? 443 : 80
  const port = host.port === undefined || host.port === standard ? '' : `:${host.port}`
  // Each proxy appends the prefix that it removed, so together they make the whole prefix.
  const prefixes = trusted(list(headers['x-forwarded-prefix']), hops).map(parsePrefix)
  return { origin: `${scheme}://${host.name}${port}`, prefix: prefixes.join('') }
}

interface Host {
  readonly name: string
  readonly port: number | undefined
}

/** Returns the entries of trusted proxies: the last ones, because each proxy appends one. */
function trusted<T>(entries: readonly T[], hops: number): readonly T[] {
  return entries.slice(Math.max(0, entries.length - hops))
}

function outermost<T>(entries: readonly T[], hops: number): T | undefined {
  return trusted(entries, hops)[0]
}

function text(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join() : (value ?? '')
}

function list(value: string | string[] | undefined): string[] {
  const entries = text(value).split(',')
  return entries.map((entry) => entry.trim()).filter(Boolean)
}

function parseScheme(value: string | undefined): 'http' | 'https' | undefined {
  const scheme = value?.toLowerCase()
  return scheme === 'http' || scheme === 'https' ? scheme : undefined
}

/** Parses a name, an IPv4 address or an IPv6 address in brackets, with an optional port. */
function parseHost(value: string | undefined): Host | undefined {
  const pattern = /^([a-z0-9][a-z0-9._-]{0,254}|\[([0-9a-f:.]+)\])(?::(\d+))?$/
  const [, name, address, digits] = pattern.exec(value?.toLowerCase() ?? '') ?? []
  if (name === undefined || (address !== undefined && !isIPv6(address))) return undefined
  const port = parsePort(digits)
  return digits !== undefined && port === undefined ? undefined : { name, port }
}

function parsePort(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d{1,5}$/.test(value)) return undefined
  const port = Number(value)
  return port > 0 && port <= 65_535 ? port : undefined
}

function withPort(host: Host | undefined, port: string | undefined): Host | undefined {
  return host && { name: host.name, port: host.port ?? parsePort(port) }
}
