import type { IncomingHttpHeaders } from 'node:http'
import type { PresentDownload } from '../hooks.js'
import type { Locations } from '../http/location.js'
import type { Engine } from '../uploads/engine.js'

/** What the protocols need. */
export interface ProtocolContext {
  readonly engine: Engine
  readonly locations: Locations
  /** Whether `104` interim responses may be sent. */
  readonly interimResponses: boolean
  /** The key of the metadata in which clients of tus give the digest of the whole. */
  readonly checksumMetadata: string | undefined
  /** How downloads are presented. */
  readonly download: PresentDownload | undefined
}

/** The value of a header; an empty one counts as there. Node joins repeated lines by a comma and a space. */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/** Whether `Trailer` says that such a trailer follows the body. Others are ignored, as RFC 9110 allows. */
export function announcesTrailer(headers: IncomingHttpHeaders, name: string): boolean {
  const names = (header(headers, 'trailer') ?? '').split(',')
  return names.some((announced) => announced.trim().toLowerCase() === name)
}
