import type { IncomingMessage } from 'node:http'
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
 * The id in a reference to an upload, as a concatenation lists them: a URL, or one relative to the path of the creation
 * URL, with or without its slash at the end (RFC 3986, section 5). The host is neither compared nor ever asked.
 * `undefined` when the reference cannot be to an upload below the creation URL.
 */
export function uploadIdOf(reference: string, creationPath: string): string | undefined {
  // What no URL may hold, `URL` would drop or read as another character.
  if (/[^!-~]|\\/.test(reference)) return undefined
  const base = `http://host${creationPath}`
  if (!URL.canParse(reference, base)) return undefined
  const { protocol, pathname } = new URL(reference, base)
  if (!/^https?:$/.test(protocol)) return undefined
  const found = route(pathname, creationPath.replace(/\/$/, ''))
  return found?.kind === 'upload' ? found.id : undefined
}

/** The target of a request as it reached the server: frameworks cut off the path at which a handler is mounted. */
export function targetOf(request: IncomingMessage): string {
  const { originalUrl = request.url! } = request as { originalUrl?: string }
  return originalUrl
}

/** Whether the path of a request target ends in a slash, which relative references depend on. */
export function endsInSlash(target: string): boolean {
  return pathOf(target).endsWith('/')
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
