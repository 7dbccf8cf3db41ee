import net from 'node:net'
import { type ParsedResponse, ResponseParser } from './response-parser.js'

/** The number of bytes given to the socket at once. */
const slice = 1024 * 1024

/** The buffer for everything that arrives. It is read before anything else can arrive. */
const arrivals = Buffer.allocUnsafeSlow(256 * 1024)

interface Pending {
  readonly parser: ResponseParser
  resolve(response: ParsedResponse): void
  reject(error: Error): void
}

/**
 * A connection that sends one request after the other. It does little itself, so that a measurement
 * shows the server.
 */
export class Connection {
  readonly #socket: net.Socket
  #pending: Pending | undefined
  #failure: Error | undefined
  /** Lets a body continue that waits for the socket to drain. */
  #wake: (() => void) | undefined

  /** `timeout`: milliseconds without a byte after which a request fails. */
  static async open(port: number, timeout = 30_000): Promise<Connection> {
    const connection = new Connection(port, timeout)
    await new Promise<void>((resolve, reject) => {
      connection.#socket.once('connect', resolve).once('error', reject)
    })
    return connection
  }

  private constructor(port: number, timeout: number) {
    this.#socket = net.connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: arrivals,
        callback: (length) => {
          this.#arrived(arrivals.subarray(0, length))
          return true
        },
      },
    })
    this.#socket.setTimeout(timeout, () => {
      if (this.#pending) this.#fail(new Error(`No response within ${timeout} ms`))
    })
    // Without this the end of the connection would never be read.
    this.#socket.resume()
    this.#socket.on('drain', () => this.#wake?.())
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('The server closed the connection')))
  }

  /** Sends a request, and resolves with its response. `head` ends with an empty line. */
  async request(
    head: string,
    body?: Buffer,
    onBody?: (piece: Buffer) => void,
  ): Promise<ParsedResponse> {
    if (this.#failure) throw this.#failure
    const response = new Promise<ParsedResponse>((resolve, reject) => {
      this.#pending = {
        parser: new ResponseParser(head.startsWith('HEAD '), onBody),
        resolve,
        reject,
      }
    })
    // Otherwise Node would report a failure during the body as an unhandled rejection.
    response.catch(() => {})
    await this.#send(head, body)
    return response
  }

  /** Sends an incomplete request, and expects no response. */
  stall(head: string, body: Buffer): void {
    this.#socket.write(Buffer.concat([Buffer.from(head, 'latin1'), body]))
  }

  /** Whether the connection has ended, from whichever side. */
  get closed(): boolean {
    return this.#failure !== undefined
  }

  close(): void {
    this.#failure ??= new Error('Closed')
    this.#socket.destroy()
  }

  /** Sends bytes, as fast as the socket takes them, until the server responds. */
  async #send(head: string, body: Buffer = Buffer.alloc(0)): Promise<void> {
    this.#socket.cork()
    if (head !== '') this.#socket.write(head, 'latin1')
    if (body.length > 0) this.#socket.write(body.subarray(0, slice))
    this.#socket.uncork()
    for (let at = slice; at < body.length && this.#pending; at += slice) {
      if (this.#socket.writableNeedDrain) await this.#room()
      if (this.#pending) this.#socket.write(body.subarray(at, at + slice))
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }

  #arrived(data: Buffer): void {
    if (!this.#pending) return this.#fail(new Error('The server sent something without a request'))
    try {
      const response = this.#pending.parser.push(data)
      if (response) this.#settle()?.resolve(response)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#socket.destroy()
    this.#settle()?.reject(this.#failure)
  }

  #settle(): Pending | undefined {
    const pending = this.#pending
    this.#pending = undefined
    this.#wake?.()
    return pending
  }
}
