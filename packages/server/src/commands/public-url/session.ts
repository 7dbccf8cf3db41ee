import type { OutgoingHttpHeaders } from 'node:http'
import { send, start, type OpenRequest, type Reply } from './client.js'
import type { Target } from './parse-target.js'

/** The options of a check from outside. */
export interface UrlCheck extends Target {
  /** Milliseconds that the slow upload takes. */
  readonly duration: number
  /** The origin of a page that may upload, if one is configured. */
  readonly origin: string | undefined
  readonly signal: AbortSignal
}

/** An upload that the check has made. */
export interface Made {
  readonly url: URL
  readonly reply: Reply
}

/** The file name of uploads that the check makes, by which they can be found. */
export const checkName = 'tuskit-check'

/** Of requests that make or remove something. */
export const neverAborts = new AbortController().signal

/** The requests of a check. Knows the uploads that it has made, and the ways around faults. */
export class Session {
  readonly options: UrlCheck
  readonly made = new Set<string>()
  /** Methods that have to be sent as `POST` with `X-HTTP-Method-Override`. */
  readonly overridden = new Set<string>()
  /** Whether responses to `HEAD` may come from a cache, which a query avoids. */
  avoidsCache = false
  /** Whether `Location` is wrong, so that the id has to be put at the end of the URL. */
  rebuildsLocation = false
  /** Whether `PATCH` works, so that further checks make sense. */
  canWrite = false
  /** Whether `HEAD` shows bytes of a request that has not ended. */
  streams = false
  /** The response to `OPTIONS`. */
  offer: Reply | undefined
  #count = 0

  constructor(options: UrlCheck) {
    this.options = options
  }

  /** Returns whether the server offers a tus extension. */
  offers(extension: string): boolean {
    return (this.offer?.headers['tus-extension'] ?? '').toString().split(/, */).includes(extension)
  }

  /** Creates an upload. The check removes it at its end. */
  async create(headers: OutgoingHttpHeaders, body?: Buffer): Promise<Made | Reply> {
    const { base, signal } = this.options
    signal.throwIfAborted()
    const named = { 'upload-metadata': `filename ${btoa(checkName)}`, ...headers }
    const request = { ...this.#request('POST', base, named), ...(body && { body }) }
    // An upload whose response is not awaited could not be removed.
    const reply = await send({ ...request, signal: neverAborts })
    const { location } = reply.headers
    if (reply.status !== 201 || location === undefined || !URL.canParse(location, base.href))
      return reply
    const url = this.rebuildsLocation ? this.rebuilt(location) : new URL(location, base)
    this.made.add(url.href)
    signal.throwIfAborted()
    return { url, reply }
  }

  /** Returns the URL of an upload below the base, with the id of a wrong location. */
  rebuilt(location: string): URL {
    const url = new URL(this.options.base)
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${location.split('/').at(-1)}`
    return url
  }

  send(method: string, url: URL, headers: OutgoingHttpHeaders = {}, body?: Buffer) {
    const { signal } = this.options
    return send({ ...this.#request(method, url, headers), ...(body && { body }), signal })
  }

  /** Sends a request that removes something, also while the program is asked to stop. */
  remove(url: URL): Promise<Reply> {
    return send({ ...this.#request('DELETE', url, {}), signal: neverAborts })
  }

  /** Starts a `PATCH` whose body the caller writes. */
  startPatch(url: URL, size: number): OpenRequest {
    const { signal } = this.options
    const headers = { ...patchHeaders(0), 'content-length': size }
    return start({ ...this.#request('PATCH', url, headers), signal })
  }

  patch(url: URL, offset: number, body: Buffer): Promise<Reply> {
    return this.send('PATCH', url, patchHeaders(offset), body)
  }

  /** Returns the offset that `HEAD` shows, or `undefined` if it shows none. */
  async offset(url: URL): Promise<number | undefined> {
    const { headers } = await this.send('HEAD', url)
    const offset = headers['upload-offset']
    return typeof offset === 'string' && /^\d+$/.test(offset) ? Number(offset) : undefined
  }

  #request(method: string, given: URL, headers: OutgoingHttpHeaders) {
    const url = new URL(given)
    if (this.avoidsCache && method === 'HEAD') url.searchParams.set('check', String(this.#count++))
    const isOverridden = this.overridden.has(method)
    return {
      url,
      method: isOverridden ? 'POST' : method,
      headers: {
        'tus-resumable': '1.0.0',
        ...(isOverridden && { 'x-http-method-override': method }),
        ...headers,
        ...this.options.headers,
      },
    }
  }
}

function patchHeaders(offset: number): OutgoingHttpHeaders {
  return { 'content-type': 'application/offset+octet-stream', 'upload-offset': offset }
}

/** Returns whether the server behind the proxies has responded, and not a proxy. */
export function isFromServer({ headers }: Reply): boolean {
  return headers['tus-resumable'] !== undefined
}

/** Returns what a response says, for a finding. */
export function replyText(reply: Reply): string {
  const who = isFromServer(reply) ? 'the server' : (reply.headers.server ?? 'something on the way')
  return `${who} responded with ${reply.status}`
}
