import type { IncomingHttpHeaders } from 'node:http'
import type { PresentDownload } from '../hooks.js'
import type { Locations } from '../http/location.js'
import type { Engine } from '../uploads/engine.js'

/** Everything that the protocols need. */
export interface ProtocolContext {
  readonly engine: Engine
  readonly locations: Locations
  /** Whether `104` interim responses may be sent. */
  readonly interimResponses: boolean
  /** The metadata key in which tus clients give the digest of the whole content. */
  readonly checksumMetadata: string | undefined
  /** How downloads are presented. */
  readonly download: PresentDownload | undefined
}

/**
 * Returns the value of a header, which may be empty. Node joins repeated lines by a comma and a
 * space.
 */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/** Whether `Trailer` announces a trailer. Unannounced ones are ignored, as RFC 9110 allows. */
export function announcesTrailer(headers: IncomingHttpHeaders, name: string): boolean {
  const names = (header(headers, 'trailer') ?? '').split(',')
  return names.some((announced) => announced.trim().toLowerCase() === name)
}
