import { isTusError, TusError } from '../errors.js'
import { withTimeout } from '../with-timeout.js'

/** The most that a hook may reply, in bytes. */
const maxReply = 1024 * 1024

export interface Message {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** In milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal
}

export interface Reply {
  readonly status: number
  /** Its `Content-Type`. */
  readonly type: string | undefined
  readonly text: string
}

/**
 * Sends a message once, and returns the reply, whatever its status. Follows no redirects. Rejects
 * when there is no whole reply in time, or when it is too long.
 */
export async function post({ url, headers, body, timeout, signal }: Message): Promise<Reply> {
  const sending = new AbortController()
  const late = () => failure('ERR_HOOK_TIMEOUT', `No reply within ${timeout} ms`)
  const request = { method: 'POST', headers, body, signal: sending.signal } as const
  try {
    const replying = fetch(url, { ...request, redirect: 'manual' }).then(read)
    return await withTimeout(timeout, replying, late, signal)
  } catch (cause) {
    if (signal.aborted || isTusError(cause)) throw cause
    throw new TusError('ERR_HOOK_UNAVAILABLE', { cause })
  } finally {
    // Closes the connection unless the whole reply has arrived.
    sending.abort()
  }
}

async function read(response: Response): Promise<Reply> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += piece.length
    if (size > maxReply) throw failure('ERR_HOOK_REPLY', `A reply of more than ${maxReply} bytes`)
    pieces.push(piece)
  }
  return {
    status: response.status,
    type: response.headers.get('content-type') ?? undefined,
    text: Buffer.concat(pieces).toString(),
  }
}

function failure(code: 'ERR_HOOK_TIMEOUT' | 'ERR_HOOK_REPLY', message: string): TusError {
  return new TusError(code, { cause: new Error(message) })
}
