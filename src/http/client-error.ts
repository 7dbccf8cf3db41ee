import { STATUS_CODES, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TusError } from '../errors.js'
import type { Cors } from './cors.js'
import { brief, drain } from './drain.js'

/** Node's own statuses for requests that it cannot parse. Any other error is a 400. */
const statuses: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
}

/** The error of a `clientError` event. */
interface ClientError extends NodeJS.ErrnoException {
  /** The bytes that Node read last. */
  readonly rawPacket?: Buffer
}

/**
 * Responds to requests that never reach a listener because Node cannot parse them.
 *
 * The responses are Node's own, except for headers that are too large: that response has a code, a
 * sentence and CORS headers, without which a page cannot read the status. If the application has a
 * `clientError` listener, this one does nothing.
 */
export function respondToClientErrors(server: Server, cors: Cors | undefined): void {
  const unfinished = new WeakMap<Socket, Set<ServerResponse>>()
  const refused = new WeakSet<Socket>()
  const note: RequestListener = ({ socket }, response) => {
    const responses = unfinished.get(socket) ?? new Set()
    unfinished.set(socket, responses.add(response))
    response.once('close', () => responses.delete(response))
  }
  server.prependListener('request', note).prependListener('checkContinue', note)

  server.on('clientError', (error: ClientError, duplex) => {
    const socket = duplex as Socket
    if (server.listenerCount('clientError') > 1 || refused.has(socket)) return
    refused.add(socket)
    const responses = [...(unfinished.get(socket) ?? [])]
    // The client would read these bytes as part of the response that is being sent.
    const isResponding = responses.some((response) => response.headersSent)
    if (!socket.writable || isResponding) return void socket.destroy(error)
    if (error.code !== 'HPE_HEADER_OVERFLOW') {
      socket.write(head(statuses[error.code ?? ''] ?? 400))
      return void socket.destroy(error)
    }
    const { code, status, message } = new TusError('ERR_HEADERS_TOO_LARGE')
    const body = `${code}: ${message}\n`
    const headers = {
      ...corsHeaders(cors, error.rawPacket),
      'content-type': 'text/plain; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
    }
    socket.end(head(status, headers) + body)
    void drain(socket, brief).then(() => socket.destroy())
  })
}

function head(status: number, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ connection: 'close', ...headers })
  const fields = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields}\r\n`
}

function corsHeaders(cors: Cors | undefined, packet: Buffer | undefined): Record<string, string> {
  try {
    return { ...cors?.headers(originIn(packet)) }
  } catch {
    // The application's `origins` function may throw, and nothing would catch it here.
    return {}
  }
}

/** Returns the `Origin` of an incomplete head, if the part that Node passes on contains it. */
function originIn(packet: Buffer | undefined): string | undefined {
  const lines = packet?.toString('latin1').split('\r\n').slice(1, -1) ?? []
  const line = lines.find((candidate) => /^origin:/i.test(candidate))
  return line?.slice('origin:'.length).trim() || undefined
}
