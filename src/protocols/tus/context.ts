import type { IncomingHttpHeaders } from 'node:http'
import { TusError } from '../../errors.js'
import type { Feature } from '../../features.js'
import type { Locations } from '../../http/location.js'
import type { Engine } from '../../uploads/engine.js'

/** What the methods of this protocol need. */
export interface TusContext {
  readonly engine: Engine
  readonly locations: Locations
}

/** The value of a header; an empty one counts as there. Node joins repeated lines by a comma and a space. */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/** Refuses a header of an extension that is not offered: to ignore it would change what the request means. */
export function requireFeature({ engine }: TusContext, feature: Feature, name: string): void {
  if (engine.features.has(feature)) return
  throw new TusError('ERR_EXTENSION_DISABLED', {
    message: `${name} belongs to ${feature}, which this server does not offer; see Tus-Extension`,
  })
}
