import type { ParsedResponse } from './response-parser.js'
import { Connection } from './connection.js'

/** The server sent another status than expected. */
export class UnexpectedResponse extends Error {
  readonly status: number

  constructor(method: string, status: number) {
    super(`${method} got ${status}`)
    this.status = status
  }
}

const chunkType = 'Content-Type: application/offset+octet-stream\r\n'

/** Speaks tus over one connection, with as few headers as the servers accept. */
export class TusClient {
  readonly connection: Connection
  readonly #host: string

  static async open(port: number, timeout?: number): Promise<TusClient> {
    return new TusClient(await Connection.open(port, timeout), port)
  }

  private constructor(connection: Connection, port: number) {
    this.connection = connection
    this.#host = `Host: 127.0.0.1:${port}\r\nTus-Resumable: 1.0.0\r\n`
  }

  close(): void {
    this.connection.close()
  }

  /** Creates an upload, with its bytes if they are given. Resolves with its path. */
  async create(length: number, body?: Buffer, headers = ''): Promise<string> {
    const type = body ? chunkType : ''
    const size = `Upload-Length: ${length}\r\nContent-Length: ${body?.length ?? 0}\r\n`
    return locationOf(await this.#request('POST', '/files', 201, type + size + headers, body))
  }

  /** Concatenates partial uploads. Resolves with the path of the final upload. */
  async join(paths: readonly string[]): Promise<string> {
    const headers = `Upload-Concat: final;${paths.join(' ')}\r\nContent-Length: 0\r\n`
    return locationOf(await this.#request('POST', '/files', 201, headers))
  }

  async patch(path: string, offset: number, body: Buffer, headers = ''): Promise<void> {
    const all = this.patchHeaders(offset, body.length) + headers
    await this.#request('PATCH', path, 204, all, body)
  }

  /** Returns the head of a PATCH whose body comes in pieces. */
  patchHead(path: string, offset: number, size: number): string {
    return this.#head('PATCH', path, this.patchHeaders(offset, size))
  }

  patchHeaders(offset: number, size: number): string {
    return `${chunkType}Upload-Offset: ${offset}\r\nContent-Length: ${size}\r\n`
  }

  /** Resolves with the offset. */
  async head(path: string): Promise<number> {
    const response = await this.#request('HEAD', path, 200)
    return Number(response.header('upload-offset') ?? NaN)
  }

  /** Resolves with the number of bytes. */
  async get(path: string, onBody?: (piece: Buffer) => void): Promise<number> {
    return (await this.#request('GET', path, 200, '', undefined, onBody)).bodyBytes
  }

  /**
   * Returns what the server says about an extension: the values of a header in its response to
   * OPTIONS.
   */
  async announced(header: string): Promise<readonly string[]> {
    const head = this.#head('OPTIONS', '/files', '')
    const response = await this.connection.request(head)
    return (response.header(header) ?? '').split(',').map((value) => value.trim())
  }

  #head(method: string, path: string, headers: string): string {
    return `${method} ${path} HTTP/1.1\r\n${this.#host}${headers}\r\n`
  }

  async #request(
    method: string,
    path: string,
    expected: number,
    headers = '',
    body?: Buffer,
    onBody?: (piece: Buffer) => void,
  ): Promise<ParsedResponse> {
    const head = this.#head(method, path, headers)
    const response = await this.connection.request(head, body, onBody)
    // Some servers respond to HEAD with 204.
    const good = response.status === expected || (method === 'HEAD' && response.status === 204)
    if (!good) throw new UnexpectedResponse(method, response.status)
    return response
  }
}

function locationOf(response: ParsedResponse): string {
  const location = response.header('location')
  if (location === undefined) throw new Error('The response to POST has no Location')
  return new URL(location, 'http://127.0.0.1').pathname
}
