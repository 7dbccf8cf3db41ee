import { failed, ok, type Finding } from '../checks/finding.js'
import type { Reply } from './client.js'
import type { Session } from './session.js'

const needed = ['location', 'upload-offset', 'upload-length', 'tus-resumable']
const one = 'Let either the server or the proxy add CORS headers, not both.'

/** Finds out whether the headers for pages of other origins come, and come once. */
export async function* checkCors(session: Session, url: URL): AsyncGenerator<Finding> {
  const { origin = 'https://check.example', base } = session.options
  const preflight = await session.send('OPTIONS', base, {
    origin,
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'tus-resumable,upload-offset',
  })
  const head = await session.send('HEAD', url, { origin })
  const allowed = [preflight, head].map((reply) => values(reply, 'access-control-allow-origin'))
  const [before = [], after = []] = allowed
  if (before.length === 0 && after.length === 0) {
    yield ok('cors', `pages of ${origin} may not upload`)
  } else if (before.length > 1 || after.length > 1) {
    const twice = before.length > 1 ? before : after
    yield failed('cors', `Access-Control-Allow-Origin comes twice: ${twice.join(', ')}`, one)
  } else if (before.length === 0 || after.length === 0) {
    const where =
      before.length === 0 ? 'HEAD, but not the preflight' : 'the preflight, but not HEAD'
    yield failed('cors', `only ${where} has Access-Control-Allow-Origin`, one)
  } else yield exposed(origin, preflight, head)
}

function exposed(origin: string, preflight: Reply, head: Reply): Finding {
  const list = values(head, 'access-control-expose-headers').map((name) => name.toLowerCase())
  const hidden = list.includes('*') ? [] : needed.filter((name) => !list.includes(name))
  if (hidden.length > 0) {
    const text = `pages cannot read ${hidden.join(', ')}`
    return failed('cors', text, 'Add them to Access-Control-Expose-Headers.')
  }
  const methods = values(preflight, 'access-control-allow-methods')
  const missing = ['PATCH', 'HEAD', 'DELETE'].filter((name) => !methods.includes(name))
  if (missing.length > 0 && !methods.includes('*')) {
    const text = `pages may not send ${missing.join(', ')}`
    return failed('cors', text, 'Add them to Access-Control-Allow-Methods.')
  }
  return ok('cors', `pages of ${origin} may upload`)
}

/** Returns all values of a header: of its repetitions, and of lists in one. */
function values({ rawHeaders }: Reply, name: string): readonly string[] {
  return rawHeaders
    .filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === name)
    .flatMap((value) => value.split(',').map((item) => item.trim()))
}
