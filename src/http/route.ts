import type { IncomingMessage } from 'node:http'
import { optionError } from '../check-options.js'
import { isUploadId } from '../upload.js'

/**
 * The resource that a URL names. `unknown` is inside the base path but names nothing; `undefined`
 * is outside the base path.
 */
export type Route =
  | { readonly kind: 'creation' }
  | { readonly kind: 'upload'; readonly id: string }
  | { readonly kind: 'unknown' }
  | undefined

/**
 * Segments of RFC 3986 characters. None may be `.`, `..` or empty: two slashes at the beginning of
 * a `Location` would make the next segment a host.
 */
const pathPattern = /^(?:\/(?!\.\.?(?:\/|$))[\w.~!$&'()*+,;=:@%-]+)*\/?$/

/** Returns the path without a trailing slash; `undefined` when upload URLs cannot begin with it. */
export function parsePrefix(path: string): string | undefined {
  if (!path.startsWith('/') || !pathPattern.test(path)) return undefined
  return path.endsWith('/') ? path.slice(0, -1) : path
}

/**
 * Returns the base path without a trailing slash: `/files/` becomes `/files`, and `/` becomes
 * empty. Throws a `TypeError` when it does not begin with a slash, or when it contains a query, a
 * hash, an empty segment, `.`, `..` or unencoded characters.
 */
export function normalizeBasePath(basePath: string): string {
  const path = typeof basePath === 'string' ? parsePrefix(basePath) : undefined
  if (path === undefined) {
    const expectation = "a path such as '/files', without query and hash"
    throw optionError('createHandler', 'basePath', { expectation }, basePath)
  }
  return path
}

/**
 * Finds the resource that a request's raw URL names under a normalized base path. Compares both
 * byte for byte; only the id is decoded.
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
 * Returns the id in a reference to an upload, as a concatenation lists them. The reference is a
 * URL, or relative to the path of the creation URL, with or without its trailing slash (RFC 3986,
 * section 5). The host is ignored, and never contacted. Returns `undefined` when the reference
 * cannot be to an upload below the creation URL.
 */
export function uploadIdOf(reference: string, creationPath: string): string | undefined {
  // `URL` would drop characters that no URL may contain, or read them as others.
  if (/[^!-~]|\\/.test(reference)) return undefined
  const base = `http://host${creationPath}`
  if (!URL.canParse(reference, base)) return undefined
  const { protocol, pathname } = new URL(reference, base)
  if (!/^https?:$/.test(protocol)) return undefined
  const found = route(pathname, creationPath.replace(/\/$/, ''))
  return found?.kind === 'upload' ? found.id : undefined
}

/**
 * The target of a request as it reached the server: frameworks cut off the path at which a handler
 * is mounted.
 */
export function targetOf(request: IncomingMessage): string {
  const { originalUrl = request.url! } = request as { originalUrl?: string }
  return originalUrl
}

/** Whether the path of a request target ends in a slash. Relative references depend on it. */
export function endsInSlash(target: string): boolean {
  return pathOf(target).endsWith('/')
}

/** Returns the raw path of a request target. `//host/path` is a path with an empty segment. */
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
