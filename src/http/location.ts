import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { publicOrigin, type PublicOrigin, type TrustProxy } from './origin.js'
import { endsInSlash, targetOf, uploadIdOf } from './route.js'

/** The URLs of uploads, as clients see them. */
export interface Locations {
  /** Where the client finds the upload with the given id. */
  locate(request: IncomingMessage, id: string): string
  /**
   * The id in a reference to an upload: a URL that {@link Locations.locate} made or that a client could have made of the
   * base path, or a reference relative to the creation URL that the request is for.
   */
  idOf(request: IncomingMessage, reference: string): string | undefined
}

/** Makes the URLs of uploads in the form that the options ask for. */
export function createLocations(
  basePath: string,
  form: 'relative' | 'absolute' | (string & {}),
  trustProxy: TrustProxy,
): Locations {
  const fixed = form === 'relative' || form === 'absolute' ? undefined : form.replace(/\/$/, '')
  const fixedPath = fixed && new URL(fixed).pathname.replace(/\/$/, '')

  // Nothing that a request says counts then.
  const constant = fixed ?? (form === 'relative' && !trustProxy ? basePath : undefined)
  const prefixOf = (request: IncomingMessage) =>
    trustProxy ? (origin(request, trustProxy)?.prefix ?? '') : ''
  return {
    locate(request, id) {
      if (constant !== undefined) return `${constant}/${id}`
      const found = origin(request, trustProxy)
      const host = form === 'absolute' ? (found?.origin ?? '') : ''
      return `${host}${found?.prefix ?? ''}${basePath}/${id}`
    },
    idOf(request, reference) {
      const slash = endsInSlash(targetOf(request)) ? '/' : ''
      // Whether the client sees the one path or the other, only it knows.
      const bases = [basePath, fixedPath ?? `${prefixOf(request)}${basePath}`]
      const ids = bases.map((base) => uploadIdOf(reference, `${base}${slash}`))
      return ids.find((id) => id !== undefined)
    },
  }
}

function origin(
  { headers, socket }: IncomingMessage,
  trustProxy: TrustProxy,
): PublicOrigin | undefined {
  const { encrypted = false } = socket as Partial<TLSSocket>
  return publicOrigin({ headers, encrypted }, trustProxy)
}
