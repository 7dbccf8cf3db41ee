import { featureNames, type Feature } from '../features.js'
import type { HttpExchange } from '../http/http-exchange.js'
import type { HttpResponse } from '../http/respond.js'
import type { Route } from '../http/route.js'
import { checksumAlgorithms } from '../checksum-algorithms.js'
import type { ProtocolContext } from './context.js'
import { dialectOf } from './ietf/dialect.js'
import { partialUpload } from './ietf/fields/media-type.js'
import { uploadLimit } from './ietf/response/upload-limit.js'

/** Features of {@link HandlerOptions.disable} that are not tus extensions. */
const others: readonly Feature[] = ['download', 'ietf-draft', 'method-override']

/** Says what the server can do, to clients of both protocols. Nothing is looked up. */
export async function describeServer(
  context: ProtocolContext,
  exchange: HttpExchange,
  { kind }: NonNullable<Route>,
): Promise<HttpResponse> {
  const { features, settings } = context.engine
  const extensions = featureNames.filter((name) => features.has(name) && !others.includes(name))
  const maxSize = await settings.maxSize(exchange, undefined)
  const offersDraft = kind === 'creation' && features.has('creation') && features.has('ietf-draft')
  return {
    status: 200,
    headers: {
      'tus-version': '1.0.0',
      ...(extensions.length > 0 && { 'tus-extension': extensions.join() }),
      ...(Number.isFinite(maxSize) && { 'tus-max-size': String(maxSize) }),
      ...(features.has('checksum') && { 'tus-checksum-algorithm': checksumAlgorithms.join() }),
      ...(offersDraft && {
        'accept-patch': partialUpload,
        ...uploadLimit(settings, dialectOf(exchange.request.headers), {
          maxSize,
          age: settings.expireAfter,
        }),
      }),
    },
  }
}
