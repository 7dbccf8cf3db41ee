import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * A fault of a request: the service is busy and has not looked at it (503), its response is lost
 * after it has been carried out, or comes only when the client has given up.
 */
export type Fault = 'busy' | 'lost' | 'late'

const slowDown =
  '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'

/**
 * Starts a proxy in front of a service, until the test ends. Each request gets the fault that
 * `faultOf` returns for its number, counted from 1. Returns the port, and how many requests came.
 */
export async function startFaultProxy(
  port: number,
  faultOf: (number: number) => Fault | undefined,
): Promise<{ readonly port: number; readonly requests: () => number }> {
  let requests = 0
  const agent = new http.Agent({ keepAlive: true })
  const forward = (request: IncomingMessage, response: ServerResponse, fault?: Fault) => {
    const { method, url: path, headers } = request
    const forwarded = http.request({ host: '127.0.0.1', port, method, path, headers, agent })
    forwarded.on('error', () => response.destroy())
    forwarded.on('response', (reply) => {
      if (fault !== undefined) {
        reply.resume()
        if (fault === 'lost') reply.on('end', () => request.socket.destroy())
        return
      }
      response.writeHead(reply.statusCode!, reply.rawHeaders)
      reply.pipe(response)
    })
    request.pipe(forwarded)
  }
  const server = http.createServer((request, response) => {
    const fault = faultOf(++requests)
    if (fault !== 'busy') return forward(request, response, fault)
    request.resume()
    request.on('end', () => {
      response.writeHead(503, { 'content-type': 'application/xml' }).end(slowDown)
    })
  })
  // A client that waits for 100 before it sends its body.
  server.on('checkContinue', (request, response: ServerResponse) => {
    response.writeContinue()
    server.emit('request', request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
    agent.destroy()
  })
  return { port: (server.address() as AddressInfo).port, requests: () => requests }
}
