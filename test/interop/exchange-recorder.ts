import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A request, and the response that its client received. */
export interface Exchange {
  /** The method that is meant, also if the request is a `POST` that overrides it. */
  readonly method: string
  /** The `Upload-Offset` of the request. */
  readonly from: number | undefined
  /** Absent while there is none, which is permanent when the connection breaks. */
  status?: number
  /** The `Upload-Offset` of the response. */
  offset?: number | undefined
}

/**
 * Starts a proxy that records the requests of clients and the final responses that they receive, in
 * the order of the requests. It passes all bytes unchanged, and the ends of connections at once.
 * The clients must wait for each response before the next request.
 */
export async function exchangeRecorder(
  target: number,
): Promise<{ readonly port: number; readonly exchanges: readonly Exchange[] }> {
  const sockets = new Set<Socket>()
  const exchanges: Exchange[] = []
  const server = net.createServer((client) => {
    const upstream = net.connect(target, '127.0.0.1')
    const connection = recorded(exchanges)
    for (const [from, to, record] of [
      [client, upstream, connection.request],
      [upstream, client, connection.response],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroySoon()
      })
      from.on('data', record)
      from.pipe(to)
    }
  })
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, exchanges }
}

/** Reads the heads on a connection. Bodies of requests are skipped until the response. */
function recorded(exchanges: Exchange[]) {
  let current: Exchange | undefined
  let request = ''
  let response = ''
  return {
    request(piece: Buffer): void {
      if (current !== undefined) return
      request += piece.toString('latin1')
      const [head] = /^[^]*?\r\n\r\n/.exec(request) ?? []
      if (head === undefined) return
      const method = field(head, 'X-HTTP-Method-Override') ?? head.slice(0, head.indexOf(' '))
      current = { method, from: offsetIn(head) }
      exchanges.push(current)
      request = ''
    },
    response(piece: Buffer): void {
      response += piece.toString('latin1')
      for (;;) {
        const [head, status] = /HTTP\/1\.1 (\d{3})[^]*?\r\n\r\n/.exec(response) ?? []
        if (head === undefined) return
        response = response.slice(response.indexOf(head) + head.length)
        if (current === undefined || Number(status) < 200) continue
        current.status = Number(status)
        current.offset = offsetIn(head)
        current = undefined
      }
    },
  }
}

function offsetIn(head: string): number | undefined {
  const value = field(head, 'Upload-Offset')
  return value === undefined ? undefined : Number(value)
}

function field(head: string, name: string): string | undefined {
  return new RegExp(`^${name}: *(.*?) *\r$`, 'im').exec(head)?.[1]
}
