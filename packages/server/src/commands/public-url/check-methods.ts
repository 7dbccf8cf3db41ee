import { failed, ok, warning, type Finding } from '../checks/finding.js'
import type { Reply } from './client.js'
import { isFromServer, replyText, type Session } from './session.js'

const size = 512

/** Finds out whether `HEAD` and `PATCH` arrive, and whether `HEAD` comes from a cache. */
export async function* checkMethods(session: Session, url: URL): AsyncGenerator<Finding> {
  const read = () => session.send('HEAD', url)
  yield await tried(session, 'HEAD', read, ({ headers }) => headers['upload-offset'] !== undefined)
  const write = () => session.patch(url, 0, Buffer.alloc(size))
  const patched = await tried(session, 'PATCH', write, ({ status }) => status === 204)
  yield patched
  if (patched.outcome === 'failed') return
  session.canWrite = true

  const reply = await session.send('HEAD', url)
  const { 'upload-offset': offset, 'cache-control': cacheControl, age } = reply.headers
  const advice =
    'Do not cache these responses: respect Cache-Control, as without proxy_ignore_headers in nginx.'
  if (offset !== String(size) || age !== undefined) {
    session.avoidsCache = true
    const text = `after ${size} bytes, HEAD shows the offset ${offset ?? '(none)'}: it comes from a cache`
    yield failed('cache', text, advice)
  } else if (!/no-store/.test(cacheControl ?? '')) {
    yield warning('cache', 'HEAD has no Cache-Control: no-store, so caches may keep it', advice)
  } else yield ok('cache', 'HEAD shows the current offset')
}

/** Sends a request, and once more as a `POST` if something on the way refuses its method. */
async function tried(
  session: Session,
  method: string,
  request: () => Promise<Reply>,
  isRight: (reply: Reply) => boolean,
): Promise<Finding> {
  const reply = await request()
  if (isRight(reply)) return ok(method, 'it arrives')
  const text = `${method} does not work: ${replyText(reply)}`
  if (isFromServer(reply)) return failed(method, text)
  session.overridden.add(method)
  const again = await request()
  const allow = `Allow ${method} on the way`
  if (isRight(again)) {
    const way = 'or let clients send POST with X-HTTP-Method-Override'
    return warning(method, text, `${allow}, ${way} (overridePatchMethod in tus-js-client).`)
  }
  session.overridden.delete(method)
  return failed(method, text, `${allow}.`)
}
