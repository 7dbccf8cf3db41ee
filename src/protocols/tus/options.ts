import { checksumAlgorithms } from '../../uploads/checksum.js'
import type { Feature } from '../../features.js'
import type { HttpExchange } from '../../http/http-exchange.js'
import type { Answer } from '../../http/respond.js'
import type { TusContext } from './context.js'

/** Says what the server can do. The same for all URLs; nothing is looked up. */
export async function handleOptions(context: TusContext, exchange: HttpExchange): Promise<Answer> {
  const { features, settings } = context.engine
  const extensions = [...features].filter(isExtension)
  const maxSize = await settings.maxSize(exchange, undefined)
  return {
    status: 200,
    headers: {
      'tus-version': '1.0.0',
      ...(extensions.length > 0 && { 'tus-extension': extensions.join() }),
      ...(Number.isFinite(maxSize) && { 'tus-max-size': String(maxSize) }),
      ...(features.has('checksum') && { 'tus-checksum-algorithm': checksumAlgorithms.join() }),
    },
  }
}

function isExtension(feature: Feature): boolean {
  return feature !== 'download'
}
