import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import type { IncomingHttpHeaders } from 'node:http'

/** A response, interim or final. */
export interface HttpResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
}

export interface Request {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
}

/**
 * Sends a request on a connection of its own. Rejects when it breaks, or when `signal` is aborted.
 */
export type Transport = (
  request: Request,
  onInterim: (interim: HttpResponse) => void,
  signal?: AbortSignal,
) => Promise<HttpResponse>

/** The certificate that makes a client trust a server. */
export interface Trust {
  readonly ca: string
  readonly servername?: string
}

/** HTTP/1.1, with TLS for an `https` URL. */
export function http1(trust?: Trust): Transport {
  return ({ method, url, headers, body }, onInterim, signal) =>
    new Promise((resolve, reject) => {
      const own = body === undefined ? {} : { 'content-length': String(body.length) }
      const options = { method, headers: { ...headers, ...own }, agent: false as const, signal }
      const request = url.startsWith('https:')
        ? https.request(url, { ...options, ...trust })
        : http.request(url, options)
      request.on('information', ({ statusCode: status, headers: fields }) => {
        onInterim({ status, headers: fields })
      })
      request.on('response', (response) => {
        response.on('error', reject)
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers }),
        )
        response.resume()
      })
      request.on('error', reject)
      request.end(body)
    })
}

/** HTTP/2 over TLS. */
export function h2(trust: Trust): Transport {
  return ({ method, url, headers, body }, onInterim, signal) =>
    new Promise((resolve, reject) => {
      const { origin, pathname } = new URL(url)
      const session = http2.connect(origin, trust)
      const own = body === undefined ? {} : { 'content-length': String(body.length) }
      const stream = session.request(
        { ':method': method, ':path': pathname, ...headers, ...own },
        { endStream: body === undefined, ...(signal && { signal }) },
      )
      let final: HttpResponse | undefined
      stream.on('headers', (fields) => onInterim(responseOf(fields)))
      stream.on('response', (fields) => (final = responseOf(fields)))
      stream.on('end', () => (final === undefined ? reject(new Error('broken')) : resolve(final)))
      for (const each of [session, stream]) each.on('error', reject)
      stream.on('close', () => {
        session.destroy()
        // Has no effect after a response.
        reject(new Error('broken'))
      })
      stream.resume()
      if (body !== undefined) stream.end(body)
    })
}

function responseOf(
  fields: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
): HttpResponse {
  return { status: fields[':status']!, headers: fields }
}

/** A request and its outcome, for tests: a status, or `broken`. */
export interface Exchange {
  readonly request: Request
  readonly interim: readonly HttpResponse[]
  readonly outcome: number | 'broken'
}

export interface UploadTaskOptions {
  readonly transport: Transport
  /** The interop version: 3 is iOS 17, 5 is 18.0, 6 is 18.1; 8 was observed in 26.2. */
  readonly version: number
  readonly request: Request & { readonly body: Buffer }
}

/** The data that another process needs to continue. */
export interface ResumeData {
  readonly location: string
}

/**
 * Behaves as an upload task of Apple's URLSession is documented to. It adds the headers of the
 * draft to every upload, always as one request with the whole body, and remembers the Location of a
 * `104` that returns its version. When the connection breaks, it asks for the offset and sends the
 * rest, unless the upload is complete. It never reads `Upload-Limit`, and takes every final
 * response for the end. Without a `104` it cannot resume.
 */
export class UploadTask {
  readonly exchanges: Exchange[] = []
  readonly #options: UploadTaskOptions
  #location: string | undefined

  constructor(options: UploadTaskOptions, resumeData?: ResumeData) {
    this.#options = options
    this.#location = resumeData?.location
  }

  /** The data of a cancelled or failed task; `undefined` when it cannot be resumed. */
  get resumeData(): ResumeData | undefined {
    return this.#location === undefined ? undefined : { location: this.#location }
  }

  /**
   * Resolves with the final response. Rejects when the upload broke and cannot be resumed, or when
   * `signal` is aborted.
   */
  async run(signal?: AbortSignal): Promise<HttpResponse> {
    const { version, request } = this.#options
    const { body } = request
    if (this.#location === undefined) {
      // Observed in version 8, and defined since draft -05.
      const length = version >= 8 ? { 'upload-length': String(body.length) } : {}
      const headers = { ...request.headers, ...this.#draft(), ...length }
      const response = await this.#send({ ...request, headers }, signal)
      if (response !== undefined) return response
    }
    for (;;) {
      if (this.#location === undefined) throw new Error('The upload broke, and cannot be resumed')
      const url = new URL(this.#location, request.url).href
      const named = { 'upload-draft-interop-version': String(version) }
      const state = await this.#send({ method: 'HEAD', url, headers: named }, signal)
      if (state === undefined) continue
      if (state.status !== 204) throw new Error(`The offset is unknown: ${state.status}`)
      if (this.#isComplete(state)) return state
      const { 'upload-offset': offset } = state.headers
      const headers = {
        ...this.#draft(),
        'upload-offset': String(offset),
        ...(version >= 6 && { 'content-type': 'application/partial-upload' }),
      }
      const rest = body.subarray(Number(offset))
      const response = await this.#send({ method: 'PATCH', url, headers, body: rest }, signal)
      if (response !== undefined) return response
    }
  }

  #draft(): Record<string, string> {
    const { version } = this.#options
    const complete = version === 3 ? { 'upload-incomplete': '?0' } : { 'upload-complete': '?1' }
    return { ...complete, 'upload-draft-interop-version': String(version) }
  }

  #isComplete({ headers }: HttpResponse): boolean {
    return headers['upload-complete'] === '?1' || headers['upload-incomplete'] === '?0'
  }

  /** Sends a request. Returns the final response, or `undefined` when the connection broke. */
  async #send(
    request: Request,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse | undefined> {
    signal?.throwIfAborted()
    const { transport, version } = this.#options
    const interim: HttpResponse[] = []
    const onInterim = (response: HttpResponse) => {
      interim.push(response)
      if (response.status !== 104) return
      if (response.headers['upload-draft-interop-version'] !== String(version)) return
      this.#location ??= response.headers.location
    }
    try {
      const response = await transport(request, onInterim, signal)
      this.exchanges.push({ request, interim, outcome: response.status })
      return response
    } catch {
      this.exchanges.push({ request, interim, outcome: 'broken' })
      signal?.throwIfAborted()
      return undefined
    }
  }
}
