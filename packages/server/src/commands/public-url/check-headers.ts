import { failed, ok, warning, type Finding } from '../checks/finding.js'
import { sizeText } from '../terminal/quantities.js'
import { replyText, type Session } from './session.js'

/** Sizes of metadata. The first is close to what the server accepts, 64 KiB for all headers. */
const sizes = [60_000, 14_000, 3_000] as const

const advice =
  'Raise the limits on headers, such as large_client_header_buffers 4 64k and proxy_buffer_size 72k in nginx, LimitRequestFieldSize and responsefieldsize in Apache, or tune.bufsize in HAProxy.'

/** Finds out how long the metadata of an upload may be, in requests and in responses. */
export async function* checkHeaders(session: Session): AsyncGenerator<Finding> {
  let problem = ''
  for (const size of sizes) {
    const found = await passes(session, size)
    if (found === undefined) {
      if (problem === '') yield ok('headers', `metadata of ${sizeText(size)} passes`)
      else {
        const text = `metadata of ${sizeText(size)} passes, but longer does not: ${problem}`
        // Less than that is enough for most clients.
        yield size > 10_000 ? warning('headers', text, advice) : failed('headers', text, advice)
      }
      return
    }
    problem = found
  }
  yield failed('headers', `metadata of ${sizeText(sizes[2])} does not pass: ${problem}`, advice)
}

/** Returns what is wrong with metadata of this size, if anything. */
async function passes(session: Session, size: number): Promise<string | undefined> {
  const prefix = 'filename '
  const name = Buffer.alloc(Math.floor(((size - prefix.length) * 3) / 4), 'n').toString('base64')
  const metadata = `${prefix}${name}`
  try {
    const made = await session.create({ 'upload-length': 1, 'upload-metadata': metadata })
    if (!('url' in made)) return `${replyText(made)} to the creation`
    const reply = await session.send('HEAD', made.url)
    const same = reply.headers['upload-metadata'] === metadata
    return reply.status === 200 && same ? undefined : `${replyText(reply)} to HEAD`
  } catch (error) {
    session.options.signal.throwIfAborted()
    return (error as Error).message
  }
}
