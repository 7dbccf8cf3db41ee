import http from 'node:http'
import https from 'node:https'
import { failed, ok, type Finding } from '../checks/finding.js'
import { reasonOf } from '../../explain.js'
import { responseTimeout, send, start, type Reply } from './client.js'
import { checkName, replyText, type Session } from './session.js'

const advice = 'Leave --interim-responses at false: something on the way does not understand 104.'

const size = 32_768

/** Uploads as a client of the IETF draft does that asks for `104` responses. */
export async function* checkInterim(session: Session): AsyncGenerator<Finding> {
  const { base, signal, headers } = session.options
  const { Agent } = base.protocol === 'https:' ? https : http
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const check = 'interim responses'
  signal.throwIfAborted()
  try {
    const draft = { 'upload-draft-interop-version': '8', ...headers }
    const created = await create(session, agent, draft)
    const isInterim = created.interim.some(({ statusCode }) => statusCode === 104)
    if (!isInterim && created.status >= 400 && created.status < 500) {
      yield ok(check, 'clients of the IETF draft are not served')
    } else if (created.status < 200 || created.status > 299) {
      yield failed(check, `the final response is lost: ${replyText(created)}`, advice)
    } else if (!isInterim) yield ok(check, 'none come: they are off, or are removed on the way')
    else if (created.interim.some(isFinal)) {
      yield failed(check, 'a 104 is taken for the final response', advice)
    } else {
      // A response that was taken for another one shows in the next.
      const next = await send({ method: 'OPTIONS', url: base, agent, headers: draft, signal })
      yield next.status < 300
        ? ok(check, '104 responses pass')
        : failed(check, `after a 104, ${replyText(next)}`, advice)
    }
  } catch (error) {
    signal.throwIfAborted()
    const lost = `the final response is lost: ${reasonOf(error)}. An upload may be left`
    yield failed(check, `${lost}, which tuskit ls --name ${checkName} shows`, advice)
  } finally {
    agent.destroy()
  }
}

/** Returns whether an interim response has headers that only a final one can have. */
function isFinal({ headers }: http.InformationEvent): boolean {
  return ['connection', 'transfer-encoding', 'content-length', 'date'].some(
    (name) => name in headers,
  )
}

/** Creates an upload, which is removed later even if its final response is lost. */
async function create(
  session: Session,
  agent: http.Agent,
  draft: http.OutgoingHttpHeaders,
): Promise<Reply> {
  const { base } = session.options
  const { request, interim, reply } = start({
    ...{ method: 'POST', url: base, agent, signal: AbortSignal.timeout(responseTimeout) },
    headers: {
      ...draft,
      'upload-complete': '?1',
      'content-length': size,
      'content-disposition': `attachment; filename="${checkName}"`,
    },
  })
  request.end(Buffer.alloc(size))
  const note = (location: string | undefined) => {
    if (location !== undefined) session.made.add(urlOf(session, location).href)
  }
  try {
    const created = await reply
    note(created.headers.location)
    return created
  } finally {
    for (const { headers } of interim) note(headers.location)
  }
}

function urlOf(session: Session, location: string): URL {
  if (session.rebuildsLocation) return session.rebuilt(location)
  return new URL(location, session.options.base)
}
