import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { CutKind } from './plan.js'

/** One request over a connection of its own. */
export interface Sending {
  readonly origin: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Iterable<Buffer>
  /** Computed when the body has been sent. */
  readonly trailers?: () => Readonly<Record<string, string>>
  /** Called before each piece of the body, with its size. */
  readonly onPiece?: (size: number) => void
  /** Called with the headers of each interim response. */
  readonly onInterim?: (headers: IncomingHttpHeaders) => void
  /** The number of bytes after which the client breaks the connection, and how. */
  readonly cut?: { readonly after: number; readonly kind: CutKind }
  /** Milliseconds without any progress after which the client gives up. */
  readonly patience: number
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly size: number
  readonly sha256: string
  /** The beginning of the body. */
  readonly text: string
}

/** A reply, or the reason for its absence. `silence`: the client lost its patience. */
export type Outcome = Reply | { readonly lost: string }

export function isReply(outcome: Outcome): outcome is Reply {
  return 'status' in outcome
}

/** How long a client that disappeared without closing its connection keeps it. */
const hangTime = 4_000

/** Sends a request. Resolves when the reply is complete or lost, and never rejects. */
export async function send(sending: Sending): Promise<Outcome> {
  const { origin, method, path, headers, patience, trailers, cut } = sending
  const request = http.request(origin + path, { method, headers, agent: false })
  let outcome: Outcome | undefined
  let settle!: (outcome: Outcome) => void
  const settled = new Promise<Outcome>((resolve) => {
    settle = (given) => resolve((outcome ??= given))
  })
  const silence = setTimeout(() => {
    settle({ lost: 'silence' })
    request.destroy()
  }, patience)
  request.on('error', (error: NodeJS.ErrnoException) => settle({ lost: error.code ?? 'error' }))
  request.on('close', () => settle({ lost: 'closed' }))
  request.on('information', ({ headers }) => {
    silence.refresh()
    sending.onInterim?.(headers)
  })
  request.on('response', (response) => void receive(response, () => silence.refresh()).then(settle))

  let sent = 0
  const isCut = () => cut !== undefined && sent >= cut.after
  for (const piece of sending.body ?? []) {
    if (outcome !== undefined || request.destroyed) break
    const part = cut === undefined ? piece : piece.subarray(0, Math.max(0, cut.after - sent))
    if (part.length > 0) {
      sending.onPiece?.(part.length)
      sent += part.length
      if (!request.write(part))
        await Promise.race([once(request, 'drain').catch(() => {}), settled])
      silence.refresh()
    }
    if (isCut()) break
  }
  if (isCut() && outcome === undefined) {
    breakOff(request, cut!.kind)
    settle({ lost: `cut by ${cut!.kind}` })
  } else if (outcome === undefined) {
    if (trailers !== undefined) request.addTrailers(trailers())
    request.end()
  }
  const result = await settled
  clearTimeout(silence)
  if (!isCut()) request.destroy()
  return result
}

function breakOff(request: http.ClientRequest, kind: CutKind): void {
  const { socket } = request
  if (socket === null || socket.connecting) {
    request.destroy()
  } else if (kind === 'reset') {
    socket.resetAndDestroy()
  } else if (kind === 'fin') {
    // The system still delivers the bytes that were written.
    socket.end()
    setTimeout(() => request.destroy(), hangTime).unref()
  } else {
    setTimeout(() => request.destroy(), hangTime).unref()
  }
}

async function receive(response: IncomingMessage, onData: () => void): Promise<Outcome> {
  const hash = createHash('sha256')
  let size = 0
  let text = ''
  try {
    for await (const piece of response as AsyncIterable<Buffer>) {
      onData()
      hash.update(piece)
      size += piece.length
      if (text.length < 200) text += piece.toString('latin1', 0, 200)
    }
  } catch (error) {
    return { lost: (error as NodeJS.ErrnoException).code ?? 'error' }
  }
  const { statusCode, headers } = response
  return { status: statusCode!, headers, size, sha256: hash.digest('hex'), text }
}
