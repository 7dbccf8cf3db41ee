import { STATUS_CODES, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TusError } from '../errors.js'
import type { Cors } from './cors.js'
import { brief, drain } from './drain.js'

/** What Node responds to a request that it cannot read; everything else is a 400. */
const statuses: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
}

/** The error of a `clientError` event. */
interface ClientError extends NodeJS.ErrnoException {
  /** What came last. */
  readonly rawPacket?: Buffer
}

/**
 * Responds to requests that no listener sees, because Node cannot read them: as Node does, but to headers that are too
 * large with a code, a sentence, and the headers of CORS, without which a page cannot read the status. Leaves all of it to a
 * `clientError` listener of the application.
 */
export function answerClientErrors(server: Server, cors: Cors | undefined): void {
  const responses = new WeakMap<Socket, ServerResponse>()
  const refused = new WeakSet<Socket>()
  server.prependListener('request', ({ socket }, response) => responses.set(socket, response))

  server.on('clientError', (error: ClientError, duplex) => {
    const socket = duplex as Socket
    if (server.listenerCount('clientError') > 1 || refused.has(socket)) return
    refused.add(socket)
    const response = responses.get(socket)
    // Bytes in the middle of another response would be taken for a part of it.
    const isAnswering = response?.headersSent && !response.writableFinished
    if (!socket.writable || isAnswering) return void socket.destroy(error)
    if (error.code !== 'HPE_HEADER_OVERFLOW') {
      socket.write(head(statuses[error.code ?? ''] ?? 400))
      return void socket.destroy(error)
    }
    const { code, status, message } = new TusError('ERR_HEADERS_TOO_LARGE')
    const body = `${code}: ${message}\n`
    const headers = {
      ...cors?.headers(originIn(error.rawPacket)),
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

/** The `Origin` of a head that was not read to its end, if it is in the part that Node hands over. */
function originIn(packet: Buffer | undefined): string | undefined {
  return /\r\norigin:[ \t]*([^\r\n]*[^\s])[ \t]*\r\n/i.exec(packet?.toString('latin1') ?? '')?.[1]
}
