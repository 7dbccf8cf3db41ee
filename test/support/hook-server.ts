import http, { type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { listen, until } from './serve.js'

/** A message that a hook server has received. */
export interface HookMessage {
  readonly method: string
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export type Respond = (response: ServerResponse, message: HookMessage) => void

/** Responds with JSON. */
export function json(value: unknown, status = 200): Respond {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(value))
  }
}

/** A real server that keeps the messages that it receives. */
export class HookServer {
  readonly messages: HookMessage[] = []
  /** Responds from now on. */
  respond: Respond
  readonly #server: http.Server
  readonly #port: number

  /** Starts on a free port, and stops when the test ends. */
  static async start(respond: Respond = json({})): Promise<HookServer> {
    const server = http.createServer()
    const port = await listen(server)
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    return new HookServer(server, port, respond)
  }

  private constructor(server: http.Server, port: number, respond: Respond) {
    this.#server = server
    this.#port = port
    this.respond = respond
    server.on('request', (request: http.IncomingMessage, response: ServerResponse) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        const { method, url, headers } = request
        const text = Buffer.concat(pieces).toString()
        const message = { method: method!, target: url!, headers, text }
        this.messages.push(message)
        this.respond(response, message)
      })
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hooks?source=test`
  }

  get events(): string[] {
    return this.messages.map(({ headers }) => headers['hook-name'] as string)
  }

  /** Returns how many connections are open. */
  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
    })
  }

  /** Waits until there are that many messages. */
  async received(count: number): Promise<readonly HookMessage[]> {
    return until(
      async () => this.messages,
      ({ length }) => length >= count,
    )
  }
}
