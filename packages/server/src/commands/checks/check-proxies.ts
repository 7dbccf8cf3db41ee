import type { CommandCall } from '../command.js'
import { reasonOf } from '../../explain.js'
import { failed, ok, warning, type Finding } from './finding.js'
import { sampleLocation, samplePrefix } from './sample-location.js'

/** Addresses that no client has (RFC 5737, RFC 3849). */
const strangers = { ipv4: '203.0.113.7', ipv6: '2001:db8::7' }

/** Explains for which peers forwarding headers count, and what pages of others may do. */
export async function* checkProxies({ settings, logger }: CommandCall): AsyncGenerator<Finding> {
  const { behindProxy = [], publicUrl, host } = settings
  try {
    if (behindProxy.length === 0) {
      const place = await sampleLocation(settings, strangers.ipv4, logger)
      const text = `no peer is trusted, so X-Forwarded-* headers are ignored; Location is ${place}`
      yield ok('behind-proxy', text)
    }
    for (const entry of behindProxy) {
      const peer = entry === 'unix:' ? undefined : entry.replace(/\/.*/, '')
      const place = await sampleLocation(settings, peer, logger)
      const fixed = publicUrl === undefined ? '' : ', because --public-url is fixed'
      const from = `from ${entry}, headers count: with X-Forwarded-Prefix: ${samplePrefix}`
      yield ok('behind-proxy', `${from}, Location is ${place}${fixed}`)
    }
    for (const stranger of behindProxy.length === 0 ? [] : Object.values(strangers)) {
      const place = await sampleLocation(settings, stranger, logger)
      const isBelieved = publicUrl === undefined && place.startsWith(samplePrefix)
      const text = `from ${stranger}, Location is ${place}`
      yield isBelieved
        ? warning(
            'behind-proxy',
            `${text}: the headers of every client count, and it can forge them`,
            'List the addresses of the proxies only.',
          )
        : ok('behind-proxy', `${text}: the headers of others are ignored`)
    }
  } catch (error) {
    yield failed('behind-proxy', reasonOf(error))
  }
  if (behindProxy.includes('unix:') && settings.unixSocket === undefined) {
    const advice = 'Add --unix-socket, or the address of the proxy.'
    yield warning('behind-proxy', `unix: has no effect, because ${host} is a TCP address`, advice)
  }
  yield cors(settings)
}

function cors({ cors, corsCredentials, basePath }: CommandCall['settings']): Finding {
  if (cors === undefined) {
    return ok('cors', 'only pages of the same origin may upload; --cors allows others')
  }
  if (corsCredentials && cors.includes('*')) {
    const text = 'every page on the web may act for its visitors, with their cookies'
    return failed('cors', text, 'With --cors-credentials, list the origins in --cors.')
  }
  const cookies = corsCredentials ? 'with cookies' : 'without cookies'
  const who = cors.includes('*') ? 'all pages' : `pages of ${cors.join(', ')}`
  return ok('cors', `${who} may upload to ${basePath}, ${cookies}`)
}
