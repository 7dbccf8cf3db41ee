import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { publicOrigin } from './origin.js'
import { endsInSlash, targetOf, uploadIdOf } from './route.js'
import { countTrusted, type TrustProxy } from './trust-proxy.js'

/** The URLs of uploads, as clients see them. */
export interface Locations {
  /** Returns the URL of the upload with the given id. */
  locate(request: IncomingMessage, id: string): string
  /**
   * Returns the id in a reference to an upload. The reference is a URL that
   * {@link Locations.locate} returned, one that a client built from the base path, or relative to
   * the creation URL of the request. Returns `undefined` for anything else.
   */
  idOf(request: IncomingMessage, reference: string): string | undefined
}

/** Creates {@link Locations} that make URLs in the form that the options choose. */
export function createLocations(
  basePath: string,
  form: 'relative' | 'absolute' | (string & {}),
  trustProxy: TrustProxy,
): Locations {
  const fixed = form === 'relative' || form === 'absolute' ? undefined : form.replace(/\/$/, '')
  const count = countTrusted(trustProxy)
  const originOf = ({ headers, socket }: IncomingMessage) => {
    const { encrypted = false } = socket as Partial<TLSSocket>
    return publicOrigin({ headers, encrypted, peer: socket.remoteAddress }, count)
  }
  const fixedPath = fixed && new URL(fixed).pathname.replace(/\/$/, '')

  // If this is set, the URL does not depend on the request.
  const constant = fixed ?? (form === 'relative' && !trustProxy ? basePath : undefined)
  const prefixOf = (request: IncomingMessage) =>
    trustProxy ? (originOf(request)?.prefix ?? '') : ''
  return {
    locate(request, id) {
      if (constant !== undefined) return `${constant}/${id}`
      const found = originOf(request)
      const host = form === 'absolute' ? (found?.origin ?? '') : ''
      return `${host}${found?.prefix ?? ''}${basePath}/${id}`
    },
    idOf(request, reference) {
      const slash = endsInSlash(targetOf(request)) ? '/' : ''
      // The client may have built the URL from either path.
      const bases = [basePath, fixedPath ?? `${prefixOf(request)}${basePath}`]
      const ids = bases.map((base) => uploadIdOf(reference, `${base}${slash}`))
      return ids.find((id) => id !== undefined)
    },
  }
}
