import { failed, ok, warning, type Finding } from '../checks/finding.js'
import { sizeText } from '../terminal/quantities.js'
import { isFromServer, replyText, type Session } from './session.js'
import { until } from './until.js'

/** The size that is announced. Only a small part of it is sent. */
const large = 10_000_000_000
const sent = 65_536
/** How long a refusal may take, in milliseconds. */
const patience = 5_000

/** Announces a large body, which a proxy with a limit refuses at once. */
export async function* checkSize(session: Session): AsyncGenerator<Finding> {
  const size = Math.min(large, maxSize(session), maxAppendSize(session))
  const deferred = session.offers('creation-defer-length')
  const made = await session.create(
    deferred ? { 'upload-defer-length': 1 } : { 'upload-length': size },
  )
  if (!('url' in made)) {
    yield warning('size', `it cannot be tried: ${replyText(made)} to the creation`)
    return
  }
  const { signal } = session.options
  const { request, reply } = session.startPatch(made.url, size)
  request.write(Buffer.alloc(Math.min(sent, size)))
  const ended = new AbortController()
  const refusal = reply.then(
    (early) => (ended.abort(), early),
    () => (ended.abort(), undefined),
  )
  const arrived = async () => session.streams && ((await session.offset(made.url)) ?? 0) > 0
  const either = AbortSignal.any([signal, ended.signal])
  await until(arrived, { signal: either, timeout: patience })
  request.destroy()
  const early = await refusal
  signal.throwIfAborted()
  if (early === undefined || isFromServer(early)) yield ok('size', `${sizeText(size)} are allowed`)
  else {
    const advice =
      'Raise the limit on bodies, such as client_max_body_size 0 in nginx, or set --max-append-size below it.'
    yield failed('size', `a body of ${sizeText(size)} is refused: ${replyText(early)}`, advice)
  }
}

function maxSize({ offer }: Session): number {
  return Number(offer?.headers['tus-max-size'] ?? Infinity)
}

/** The draft has a header for it, and tus has none. */
function maxAppendSize({ offer }: Session): number {
  const limits = String(offer?.headers['upload-limit'] ?? '')
  return Number(/max-append-size=(\d+)/.exec(limits)?.[1] ?? Infinity)
}
