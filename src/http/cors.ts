import { checkOptions, type OptionOwner } from '../check-options.js'
import { isHttpToken } from '../http-token.js'
import { namesElsewhere } from '../names-elsewhere.js'

/** Which pages from other origins may use the server (CORS), and how. */
export interface CorsOptions {
  /**
   * The allowed origins: `'*'` for all of them; a string such as `https://example.org`; a pattern,
   * which must match the whole origin; or a list of strings and patterns. A function is called for
   * every request that names an origin, and returns `true` to allow it. An empty list allows no
   * origin.
   * @default '*'
   */
  readonly origins?:
    '*' | (string & {}) | RegExp | readonly (string | RegExp)[] | ((origin: string) => boolean)
  /**
   * Whether pages may send cookies and other credentials. Together with `'*'`, this lets every page
   * on the web act on behalf of its visitors: list the origins instead.
   * @default false
   */
  readonly credentials?: boolean
  /**
   * Additional request headers to allow. Always allowed are the headers of both protocols,
   * `Authorization`, `Content-Type`, `X-Requested-With`, `X-Request-ID` and every header that
   * begins with `Upload-`.
   * @default []
   */
  readonly allowHeaders?: readonly string[]
  /**
   * Additional response headers that pages may read. They can always read the headers of both
   * protocols and of downloads.
   * @default []
   */
  readonly exposeHeaders?: readonly string[]
  /**
   * How long browsers may cache the response to a preflight request, in seconds.
   * @default 86_400
   */
  readonly maxAge?: number
}

/** Makes the CORS headers of responses. Header names are in lower case. */
export interface Cors {
  /**
   * Returns the headers of a response, errors included. A page that is not allowed gets no
   * permission, so its browser hides the response from it. The request is not refused, because
   * pages of the server's own origin send `Origin` too.
   */
  headers(origin: string | undefined): Readonly<Record<string, string>>
  /**
   * Returns the headers of the response to OPTIONS. `requested` is the value of
   * `Access-Control-Request-Headers`.
   */
  preflight(
    origin: string | undefined,
    requested: string | undefined,
  ): Readonly<Record<string, string>>
}

const owner: OptionOwner = {
  name: 'createHandler',
  within: 'cors',
  otherNames: namesElsewhere,
}

const methods = 'POST, PUT, HEAD, PATCH, OPTIONS, GET, DELETE'

const allowedHeaders = [
  ...['Authorization', 'Content-Type', 'Tus-Resumable', 'Upload-Length', 'Upload-Offset'],
  ...['Upload-Metadata', 'Upload-Defer-Length', 'Upload-Concat', 'Upload-Checksum'],
  ...['Upload-Complete', 'Upload-Incomplete', 'Upload-Draft-Interop-Version'],
  ...['Content-Disposition', 'Content-Encoding', 'Content-Digest', 'Repr-Digest'],
  ...['Want-Repr-Digest', 'X-HTTP-Method-Override', 'X-Request-ID', 'X-Requested-With'],
]

const exposedHeaders = [
  ...['Location', 'Upload-Offset', 'Upload-Length', 'Upload-Metadata', 'Upload-Defer-Length'],
  ...['Upload-Concat', 'Upload-Expires', 'Tus-Version', 'Tus-Resumable', 'Tus-Max-Size'],
  ...['Tus-Extension', 'Tus-Checksum-Algorithm', 'Upload-Complete', 'Upload-Incomplete'],
  ...['Upload-Limit', 'Upload-Draft-Interop-Version', 'Content-Disposition', 'Content-Range'],
  ...['Accept-Ranges', 'Repr-Digest', 'Accept-Patch', 'ETag', 'Retry-After'],
]

/**
 * Creates {@link Cors} from the options; `true` means the defaults. Returns `undefined` when CORS
 * is off, which it is without options. Throws a `TypeError` for an invalid option.
 */
export function createCors(options: boolean | CorsOptions | undefined): Cors | undefined {
  if (options === undefined || options === false) return undefined
  const checked = checkOptions<CorsOptions>(owner, options === true ? {} : options, {
    origins: {
      expectation: `'*', an origin without a path, such as 'https://example.org', a RegExp, a list of these, or a function`,
      accepts: isOrigins,
    },
    credentials: { expectation: 'a boolean', accepts: (v) => typeof v === 'boolean' },
    allowHeaders: { expectation: 'a list of header names', accepts: isHeaderNames },
    exposeHeaders: { expectation: 'a list of header names', accepts: isHeaderNames },
    maxAge: {
      expectation: 'a whole number of seconds, at least 0',
      accepts: (v) => Number.isSafeInteger(v) && (v as number) >= 0,
    },
  })
  const { origins = '*', credentials = false, maxAge = 86_400 } = checked
  const matches = matcher(origins)
  const allowed = [...allowedHeaders, ...(checked.allowHeaders ?? [])]
  const granted = {
    'access-control-expose-headers': [...exposedHeaders, ...(checked.exposeHeaders ?? [])].join(),
    ...(credentials && { 'access-control-allow-credentials': 'true' }),
  }
  // Browsers refuse '*' together with credentials.
  const anybody = matches === undefined && !credentials
  const toAnybody = { 'access-control-allow-origin': '*', ...granted }
  const toNobody = { vary: 'Origin' }

  const allows = (origin: string) => matches === undefined || matches(origin)
  const headers = (origin: string | undefined): Readonly<Record<string, string>> => {
    if (anybody) return toAnybody
    if (origin === undefined || !allows(origin)) return toNobody
    return { 'access-control-allow-origin': origin, ...granted, ...toNobody }
  }
  return Object.freeze({
    headers,
    preflight(origin, requested) {
      const own = headers(origin)
      if (own === toNobody) return own
      return {
        ...own,
        'access-control-allow-methods': methods,
        'access-control-allow-headers': [...allowed, ...uploadHeaders(requested)].join(),
        'access-control-max-age': String(maxAge),
      }
    },
  } satisfies Cors)
}

/** Returns a function that says whether an origin is allowed; `undefined` when all are. */
function matcher(
  origins: NonNullable<CorsOptions['origins']>,
): ((origin: string) => boolean) | undefined {
  // An asynchronous function returns a promise, which must not count as `true`.
  if (typeof origins === 'function') return (origin) => origins(origin) === true
  const list = typeof origins === 'string' || origins instanceof RegExp ? [origins] : origins
  if (list.includes('*')) return undefined
  const texts = new Set(list.filter((item) => typeof item === 'string').map(normalizeOrigin))
  const patterns = list.filter((item) => item instanceof RegExp).map(anchor)
  return (origin) =>
    texts.has(origin.toLowerCase()) || patterns.some((pattern) => pattern.test(origin))
}

/**
 * Returns the pattern, matching whole origins only. Drops the flags `g` and `y`, which would make
 * it remember its last match.
 */
function anchor({ source, flags }: RegExp): RegExp {
  return new RegExp(`^(?:${source})$`, flags.replace(/[gmy]/g, ''))
}

/** Returns the origin as browsers send it: lower case, ASCII, without the default port. */
function normalizeOrigin(origin: string): string {
  return /^https?:/i.test(origin) ? new URL(origin).origin : origin.toLowerCase()
}

function isOrigins(value: unknown): boolean {
  if (typeof value === 'function') return true
  return (Array.isArray(value) ? value : [value]).every(
    (item) => item instanceof RegExp || item === '*' || item === 'null' || isOrigin(item),
  )
}

/**
 * Whether a value is a scheme, a host and optionally a port. The scheme may belong to an app or a
 * browser extension.
 */
function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*,]+$/i.test(value))
    return false
  return URL.canParse(value)
}

function isHeaderNames(value: unknown): boolean {
  const isName = (name: unknown) => typeof name === 'string' && isHttpToken(name)
  return Array.isArray(value) && value.every(isName)
}

/** Returns the requested `Upload-` headers, which later versions of the protocols may define. */
function uploadHeaders(requested = ''): string[] {
  const names = requested.toLowerCase().split(',')
  return names.map((name) => name.trim()).filter((name) => /^upload-[a-z0-9-]+$/.test(name))
}
