import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { buffer } from 'node:stream/consumers'

/** A response as it came, with the interim ones before it. */
export interface Reply {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  /** Names and values in turn, so that repetitions can be seen. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly interim: readonly http.InformationEvent[]
}

/** A request to send. */
export interface ClientRequest {
  readonly method: string
  readonly url: URL
  readonly headers?: http.OutgoingHttpHeaders
  readonly body?: Buffer
  /** Keeps its connection open for the next request. By default each has one of its own. */
  readonly agent?: http.Agent
  readonly signal: AbortSignal
}

/** A request whose body is written piece by piece. */
export interface OpenRequest {
  readonly request: http.ClientRequest
  /** Those that have come so far. */
  readonly interim: readonly http.InformationEvent[]
  /** Rejects when the connection ends before the response. */
  readonly reply: Promise<Reply>
}

/** Milliseconds after which a request without a response fails. */
export const responseTimeout = 30_000

/** Sends a request, and returns its response. */
export async function send(given: ClientRequest): Promise<Reply> {
  const timedOut = AbortSignal.timeout(responseTimeout)
  const signal = AbortSignal.any([given.signal, timedOut])
  const { request, reply } = start({ ...given, signal })
  request.end(given.body)
  try {
    return await reply
  } catch (error) {
    if (!timedOut.aborted) throw error
    throw new Error(`no response within ${responseTimeout / 1000} s`, { cause: error })
  }
}

/** Starts a request. The caller writes its body and ends it. */
export function start({
  method,
  url,
  headers = {},
  body,
  agent,
  signal,
}: ClientRequest): OpenRequest {
  const module = url.protocol === 'https:' ? https : http
  const length = body === undefined ? {} : { 'content-length': body.length }
  const request = module.request(url, {
    method,
    headers: { ...length, ...headers },
    agent: agent ?? false,
    maxHeaderSize: 262_144,
    signal,
  })
  const interim: http.InformationEvent[] = []
  request.on('information', (information) => interim.push(information))
  const reply = replyTo(request, interim)
  // It is awaited later, if at all.
  reply.catch(() => {})
  return { request, interim, reply }
}

async function replyTo(
  request: http.ClientRequest,
  interim: readonly http.InformationEvent[],
): Promise<Reply> {
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  // The rest of the body may fail to be sent: the response says why.
  request.on('error', () => {})
  const { statusCode = 0, headers, rawHeaders } = response
  return { status: statusCode, headers, rawHeaders, body: await buffer(response), interim }
}
