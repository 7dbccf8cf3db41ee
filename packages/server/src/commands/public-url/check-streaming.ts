import { setTimeout } from 'node:timers/promises'
import { failed, ok, type Finding } from '../checks/finding.js'
import { reasonOf } from '../../explain.js'
import { timeText } from '../terminal/quantities.js'
import type { OpenRequest, Reply } from './client.js'
import { replyText, type Session } from './session.js'
import { until } from './until.js'

const slowSize = 327_680
/** More milliseconds between two pieces would look as if the client had vanished. */
const longestPause = 500
/** For the pieces that are sent while nothing has arrived. */
const reserve = 65_536
/** How long bytes may need to arrive, in milliseconds. */
const patience = 10_000

const buffering =
  'Switch request buffering off, as with proxy_request_buffering off and proxy_http_version 1.1 in nginx.'

/** Uploads slowly, and interrupts an upload, while another connection watches the offset. */
export async function* checkStreaming(session: Session): AsyncGenerator<Finding> {
  const { seen, slow } = await uploadSlowly(session)
  session.streams = seen
  const kept = await keepsInterrupted(session)
  if (seen) yield ok('streaming', 'bytes arrive while the request lasts')
  else if (kept > 0) yield ok('streaming', 'bytes arrive, and the store shows them at the end')
  else {
    const text = 'no byte arrives before the end of the request: something collects the whole body'
    yield failed('streaming', text, buffering)
  }
  yield slow
  yield kept > 0
    ? ok('interruption', 'an interrupted request keeps the bytes that were received')
    : failed('interruption', 'an interrupted request loses all its bytes', buffering)
}

async function uploadSlowly(session: Session): Promise<{ seen: boolean; slow: Finding }> {
  const { duration, signal } = session.options
  const pieces = Math.max(40, Math.ceil(duration / longestPause))
  const pieceSize = Math.ceil(slowSize / pieces)
  const size = pieces * pieceSize + reserve
  const made = await session.create({ 'upload-length': size })
  if (!('url' in made)) throw new Error(`no upload for it: ${replyText(made)}`)
  const started = performance.now()
  const open = session.startPatch(made.url, size)
  const ended = new AbortController()
  const early = open.reply.then(
    (reply) => void ended.abort(reply),
    (error: unknown) => void ended.abort(error),
  )
  let seen = false
  const watched = new AbortController()
  const watching = until(async () => (seen ||= ((await session.offset(made.url)) ?? 0) > 0), {
    signal: AbortSignal.any([signal, ended.signal, watched.signal]),
    every: 200,
  })
  let sent = 0
  const trickle = async (bytes: number, pause: number) => {
    open.request.write(Buffer.alloc(bytes))
    sent += bytes
    await setTimeout(pause, undefined, { signal: ended.signal }).catch(() => {})
    signal.throwIfAborted()
  }
  for (let i = 0; i < pieces && !ended.signal.aborted; i++) {
    await trickle(pieceSize, duration / pieces)
  }
  const deadline = performance.now() + patience
  while (!seen && !ended.signal.aborted && performance.now() < deadline) await trickle(1_024, 200)
  const lasted = performance.now() - started
  if (!ended.signal.aborted) {
    // A proxy that collects the body passes it on from here.
    watched.abort()
    await watching
    const slow = await endOf(open, size - sent, lasted, session)
    ended.abort()
    await Promise.all([watching, early])
    return { seen, slow }
  }
  await Promise.all([watching, early])
  return { seen, slow: cut(ended.signal.reason, lasted) }
}

async function endOf(
  { request, reply }: OpenRequest,
  rest: number,
  lasted: number,
  { options: { signal } }: Session,
): Promise<Finding> {
  request.end(Buffer.alloc(rest))
  try {
    const timeout = setTimeout(30_000, undefined, { signal, ref: false }).then(() => {
      request.destroy(new Error('no response within 30 s'))
    })
    timeout.catch(() => {})
    const final = await reply
    if (final.status === 204) return ok('slow', `a request of ${timeText(lasted)} is not cut`)
    return cut(final, lasted)
  } catch (error) {
    signal.throwIfAborted()
    return cut(error, lasted)
  }
}

function cut(reason: unknown, lasted: number): Finding {
  const why = isReply(reason) ? replyText(reason) : reasonOf(reason)
  const advice =
    'Let timeouts run from byte to byte, such as client_body_timeout and proxy_send_timeout in nginx or RequestReadTimeout body=0 in Apache, and make them longer than 60 s.'
  return failed('slow', `a slow request was cut after ${timeText(lasted)}: ${why}`, advice)
}

function isReply(value: unknown): value is Reply {
  return typeof value === 'object' && value !== null && 'rawHeaders' in value
}

/** Returns how many bytes of an interrupted request are kept. */
async function keepsInterrupted(session: Session): Promise<number> {
  const size = 262_144
  const made = await session.create({ 'upload-length': size })
  if (!('url' in made)) throw new Error(`no upload for it: ${replyText(made)}`)
  const { signal } = session.options
  const { request, reply } = session.startPatch(made.url, size)
  request.write(Buffer.alloc(size / 2))
  let offset = 0
  const look = async () => (offset = (await session.offset(made.url)) ?? 0) > 0
  if (session.streams) await until(look, { signal, timeout: patience })
  else await setTimeout(1_000, undefined, { signal })
  request.destroy()
  await reply.catch(() => {})
  await until(look, { signal, timeout: patience })
  return offset
}
