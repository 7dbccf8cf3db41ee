import { TusError } from '../../errors.js'
import type { Feature } from '../../features.js'
import type { ProtocolContext } from '../context.js'

/**
 * Refuses a header of an extension that is not offered: ignoring it would change the meaning of
 * the request.
 */
export function requireFeature({ engine }: ProtocolContext, feature: Feature, name: string): void {
  if (engine.features.has(feature)) return
  throw new TusError('ERR_EXTENSION_DISABLED', {
    message: `${name} belongs to ${feature}, which this server does not offer; see Tus-Extension`,
  })
}
