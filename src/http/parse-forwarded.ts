/**
 * One pair and the separator after it (RFC 7239 section 4). A pair may be missing. Ports and IPv6
 * addresses should be quoted, but often are not.
 */
const pairPattern = /[ \t]*(?:([^\s=;,"]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)[ \t]*)?([;,]|$)/gy

/**
 * Parses a `Forwarded` header into one element for each proxy, the outermost first. Names are in
 * lower case, values unquoted. Returns an empty list if any part is malformed.
 */
export function parseForwarded(header: string): ReadonlyMap<string, string>[] {
  const elements: Map<string, string>[] = []
  let element = new Map<string, string>()
  let end = 0
  for (const [match, name, value = '', separator] of header.matchAll(pairPattern)) {
    end += match.length
    if (name !== undefined) element.set(name.toLowerCase(), unquote(value))
    if (separator === ';') continue
    if (element.size > 0) elements.push(element)
    element = new Map()
    if (separator === '') break
  }
  return end === header.length ? elements : []
}

function unquote(value: string): string {
  return value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value
}
