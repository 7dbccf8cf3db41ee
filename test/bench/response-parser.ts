/** A response of a server. The parser only counts the bytes of its body. */
export interface ParsedResponse {
  readonly status: number
  readonly bodyBytes: number
  /** Returns the value of a header; pass its name in lower case. */
  header(name: string): string | undefined
}

/** Reads one response of HTTP/1.1. It keeps no reference to the buffers that it gets. */
export class ResponseParser {
  readonly #bodiless: boolean
  readonly #onBody: ((piece: Buffer) => void) | undefined
  #head = ''
  #status = 0
  #bodyBytes = 0
  /** Remaining bytes of the body, or of its current chunk. */
  #left = 0
  #chunked = false
  /** The line between chunks that is being read; absent within a chunk. */
  #line: string | undefined

  constructor(bodiless: boolean, onBody?: (piece: Buffer) => void) {
    this.#bodiless = bodiless
    this.#onBody = onBody
  }

  /** Reads what arrived, and returns the response when it is complete. */
  push(data: Buffer): ParsedResponse | undefined {
    const body = this.#status === 0 ? this.#takeHead(data) : data
    if (body === undefined) return undefined
    const whole = this.#chunked ? this.#takeChunks(body) : this.#takeBody(body) === body.length
    if (!whole || (!this.#chunked && this.#left > 0)) return undefined
    const head = this.#head
    return {
      status: this.#status,
      bodyBytes: this.#bodyBytes,
      header: (name) => valueIn(head, name),
    }
  }

  /** Returns what follows the head once the head is complete. */
  #takeHead(data: Buffer): Buffer | undefined {
    const before = this.#head.length
    this.#head += data.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const rest = data.subarray(end + 4 - before)
    this.#head = this.#head.slice(0, end + 2)
    const status = Number(this.#head.slice(9, 12))
    if (status < 200) {
      this.#head = ''
      return this.#takeHead(rest)
    }
    this.#status = status
    if (this.#bodiless || status === 204 || status === 304) return rest
    this.#left = Number(valueIn(this.#head, 'content-length') ?? NaN)
    if (Number.isNaN(this.#left)) {
      if (valueIn(this.#head, 'transfer-encoding') !== 'chunked') {
        throw new Error('A response without a length')
      }
      this.#left = 0
      this.#chunked = true
      this.#line = ''
    }
    return rest
  }

  #takeBody(data: Buffer): number {
    const size = Math.min(this.#left, data.length)
    this.#left -= size
    this.#bodyBytes += size
    if (size > 0) this.#onBody?.(data.subarray(0, size))
    return size
  }

  /** Returns whether the last chunk was seen. Trailers are not expected. */
  #takeChunks(data: Buffer): boolean {
    for (let at = 0; at < data.length;) {
      if (this.#line === undefined) {
        at += this.#takeBody(data.subarray(at))
        if (this.#left === 0) this.#line = ''
        continue
      }
      const end = data.indexOf(10, at)
      this.#line += data.toString('latin1', at, end < 0 ? data.length : end)
      if (end < 0) return false
      at = end + 1
      const line = this.#line.trim()
      this.#line = ''
      // The end of the previous chunk has a line of its own.
      if (line === '') {
        if (this.#left < 0) return true
        continue
      }
      this.#left = parseInt(line, 16)
      if (this.#left > 0) this.#line = undefined
      else this.#left = -1
    }
    return false
  }
}

function valueIn(head: string, name: string): string | undefined {
  // Names come in any case.
  const found = new RegExp(`\r\n${name}:[ \t]*([^\r\n]*)`, 'i').exec(head)
  return found?.[1]?.trim()
}
