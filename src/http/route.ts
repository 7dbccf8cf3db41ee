import { inspect } from 'node:util'
import { isUploadId } from '../upload.js'

/** What a URL means: `undefined` lies outside the base path, `unknown` inside, but nothing is there. */
export type Route =
  | { readonly kind: 'creation' }
  | { readonly kind: 'upload'; readonly id: string }
  | { readonly kind: 'unknown' }
  | undefined

/**
 * Segments of RFC 3986 characters, none of them empty, `.` or `..`. Two slashes at the beginning of a Location
 * would make the next segment a host.
 */
const pathPattern = /^(?:\/(?!\.\.?(?:\/|$))[\w.~!$&'()*+,;=:@%-]+)*\/?$/

/** The path without a slash at its end; `undefined` when it cannot be in front of the URLs of uploads. */
export function parsePrefix(path: string): string | undefined {
  if (!path.startsWith('/') || !pathPattern.test(path)) return undefined
  return path.endsWith('/') ? path.slice(0, -1) : path
}

/**
 * The base path without a slash at its end: `/files/` becomes `/files`, and `/` becomes empty. Throws a `TypeError`
 * when it does not begin with a slash, or holds a query, a hash, an empty segment, `.`, `..` or unencoded characters.
 */
export function normalizeBasePath(basePath: string): string {
  const path = typeof basePath === 'string' ? parsePrefix(basePath) : undefined
  if (path === undefined) {
    throw new TypeError(
      `Option 'basePath' must be a path such as '/files', without query and hash, not ${inspect(basePath)}`,
    )
  }
  return path
}

/**
 * What a request's raw URL means under a normalized base path. Both are compared as they stand, byte for byte; only
 * the id is decoded.
 */
export function route(url: string, basePath: string): Route {
  const path = pathOf(url)
  if (!path.startsWith(`${basePath}/`)) return path === basePath ? { kind: 'creation' } : undefined
  const rest = path.slice(basePath.length + 1)
  if (rest === '') return { kind: 'creation' }
  const id = decode(rest)
  return id !== undefined && isUploadId(id) ? { kind: 'upload', id } : { kind: 'unknown' }
}

/**
 * The id in the URL of an upload, as a concatenation lists them: absolute, or a path from the root. The host is
 * neither compared nor ever asked. `undefined` when the URL cannot be one of an upload under the base path.
 */
export function uploadIdOf(url: string, basePath: string): string | undefined {
  const found = route(url, basePath)
  return found?.kind === 'upload' ? found.id : undefined
}

/** The path of a request target as it stands. `//host/path` is a path with an empty segment: no authority. */
function pathOf(url: string): string {
  const [path = ''] = url.split(/[?#]/, 1)
  return path.replace(/^https?:\/\/[^/]*/i, '')
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
