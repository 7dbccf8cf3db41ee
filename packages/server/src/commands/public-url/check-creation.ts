import { failed, failedBy, ok, type Finding } from '../checks/finding.js'
import { codeOf } from '../../explain.js'
import { replyText, type Session } from './session.js'

/** Creates an upload, and examines its `Location`. Returns its URL if it can be used. */
export async function* checkCreation(
  session: Session,
): AsyncGenerator<Finding, URL | undefined, undefined> {
  const { base, signal } = session.options
  try {
    session.offer = await session.send('OPTIONS', base)
  } catch (error) {
    signal.throwIfAborted()
    const certificate = /CERT|SELF_SIGNED|ERR_TLS/.test(codeOf(error) ?? '')
    const advice =
      'Install a certificate with its whole chain, or name its CA in NODE_EXTRA_CA_CERTS.'
    if (certificate)
      yield failed('reachable', `the certificate is refused: ${codeOf(error)}`, advice)
    else yield failedBy('reachable', error)
    return undefined
  }
  const { headers } = session.offer
  if (headers['tus-version'] === undefined) {
    const text = `OPTIONS gets no Tus-Version: ${replyText(session.offer)}`
    const advice = 'Pass this path to the server, with OPTIONS, and compare it with --base-path.'
    yield failed('reachable', text, advice)
    return undefined
  }
  yield ok('reachable', `a tus server responds at ${base.href}`)

  const made = await session.create({ 'upload-length': 1_024 })
  if (!('url' in made)) {
    yield creationFailure(made)
    return undefined
  }
  yield ok('creation', 'an upload was created')
  const wrong = wrongLocation(base, made.url)
  if (wrong === undefined) {
    yield ok('location', `Location is ${made.reply.headers.location}`)
    return made.url
  }
  yield failed('location', `Location is ${made.reply.headers.location}, ${wrong[0]}`, wrong[1])
  session.rebuildsLocation = true
  session.made.delete(made.url.href)
  const url = session.rebuilt(made.url.pathname)
  session.made.add(url.href)
  return url
}

function creationFailure(reply: Parameters<typeof replyText>[0]): Finding {
  const text = `an upload cannot be created: ${replyText(reply)}`
  const body = reply.body.toString().trim().slice(0, 200)
  if (reply.status === 201) {
    return failed('creation', 'the response has no Location', 'Do not let a proxy remove it.')
  }
  if (reply.status === 401 || reply.status === 403) {
    return failed('creation', text, "Add --header 'Authorization: …' if it needs one.")
  }
  return failed('creation', body === '' ? text : `${text}: ${body}`)
}

/** Returns what is wrong with the URL of an upload, and advice. */
function wrongLocation(base: URL, url: URL): readonly [string, string] | undefined {
  const folder = `${base.pathname.replace(/\/$/, '')}/`
  if (url.protocol !== base.protocol) {
    return [`but its scheme should be ${base.protocol}`, 'Correct --public-url, or leave it out.']
  }
  if (url.host !== base.host) {
    return [`but its host should be ${base.host}`, 'Correct --public-url, or leave it out.']
  }
  if (url.pathname.startsWith(folder)) return undefined
  const advice =
    'Let the proxy keep the path, or send X-Forwarded-Prefix with --behind-proxy, or set --public-url.'
  return [`but its path should begin with ${folder}`, advice]
}
