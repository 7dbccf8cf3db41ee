import { BlockList, isIP, isIPv6 } from 'node:net'

/**
 * Which proxies to trust. `true` trusts every proxy, so the outermost entry of each header counts.
 * A number trusts that many proxies, counting from this server; entries beyond them are ignored.
 * `false` and `0` trust no proxy.
 *
 * A list trusts the proxies with these addresses: IPv4, IPv6, ranges in CIDR notation such as
 * `10.0.0.0/8`, and `unix:` for connections over a Unix domain socket. The headers count only if
 * such a proxy has connected to this server. If the address that it reports in `Forwarded` (`for=`)
 * or `X-Forwarded-For` is in the list too, that one is another proxy, and so on.
 *
 * The proxies must overwrite, append to or remove `Forwarded` and each of `X-Forwarded-For`,
 * `-Proto`, `-Host`, `-Port` and `-Prefix`. A client can forge any of these headers that they pass
 * through unchanged.
 */
export type TrustProxy = boolean | number | readonly string[]

/**
 * Returns how many proxies to trust, counting from this server.
 *
 * @param peer - The address of the connection to this server; absent for a Unix domain socket.
 * @param reported - The addresses that the proxies report, the outermost first.
 */
export type CountTrusted = (
  peer: string | undefined,
  reported: readonly (string | undefined)[],
) => number

/** Returns the function that counts proxies as the option says. */
export function countTrusted(trustProxy: TrustProxy): CountTrusted {
  if (trustProxy === true) return () => Infinity
  if (typeof trustProxy !== 'object') return () => Number(trustProxy)

  const trustsUnixSocket = trustProxy.includes(unixSocket)
  const ranges = new BlockList()
  for (const entry of trustProxy) {
    const { address, prefix, family } = parseRange(entry) ?? {}
    if (address !== undefined) ranges.addSubnet(address, prefix!, family)
  }
  const isTrusted = (text: string | undefined) => {
    const address = addressIn(text ?? '')
    return address !== undefined && ranges.check(address, familyOf(address))
  }
  return (peer, reported) => {
    const knowsPeer = peer === undefined ? trustsUnixSocket : isTrusted(peer)
    if (!knowsPeer) return 0
    const first = reported.findLastIndex((address) => !isTrusted(address))
    return reported.length - first
  }
}

/** Returns whether an entry of the list can be understood. */
export function isTrustedEntry(entry: unknown): boolean {
  if (typeof entry !== 'string') return false
  return entry === unixSocket || parseRange(entry) !== undefined
}

/** Stands for the peer of a Unix domain socket, as in the configuration of nginx. */
const unixSocket = 'unix:'

type Family = 'ipv4' | 'ipv6'

interface Range {
  readonly address: string
  /** The number of bits that are the same in all addresses. */
  readonly prefix: number
  readonly family: Family
}

function parseRange(entry: string): Range | undefined {
  const [, address = '', digits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? []
  if (isIP(address) === 0) return undefined
  const family = familyOf(address)
  const bits = family === 'ipv6' ? 128 : 32
  const prefix = Number(digits ?? bits)
  return prefix <= bits ? { address, prefix, family } : undefined
}

/** Returns the address in an entry such as `10.0.0.1:80` or `[::1]:80`, without port and zone. */
function addressIn(entry: string): string | undefined {
  const [, bracketed, dotted, plain] =
    /^(?:\[([^\]%]+)[^\]]*\](?::\d+)?|([\d.]+):\d+|([^%]+)(?:%.*)?)$/.exec(entry) ?? []
  const address = bracketed ?? dotted ?? plain ?? ''
  return isIP(address) === 0 ? undefined : address
}

function familyOf(address: string): Family {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}
