import { randomUUID } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { isUploadId, type Logger } from 'tuskit'

/**
 * Logs each request when its response has ended or its connection is lost. Neither headers nor
 * queries are logged, because they may contain secrets.
 */
export function logRequests(
  listener: RequestListener,
  logger: Logger,
  basePath: string,
): RequestListener {
  const base = `/${basePath}/`.replace(/\/{2,}/g, '/')
  return (request, response) => {
    const { method, url = '', headers } = request
    // The handler uses the same id in its own messages.
    const given = String(headers['x-request-id'])
    const requestId = /^[\w.:-]{1,64}$/.test(given) && given !== 'undefined' ? given : randomUUID()
    headers['x-request-id'] = requestId
    const startedAt = performance.now()
    response.once('close', () => {
      const path = url.split('?', 1)[0]!
      const uploadId = idIn(String(response.getHeader('location') ?? path), base)
      logger.info('Request', {
        requestId,
        ...(uploadId !== undefined && { uploadId }),
        method,
        path,
        status: response.writableFinished ? response.statusCode : 'connection lost',
        milliseconds: Math.round(performance.now() - startedAt),
      })
    })
    listener(request, response)
  }
}

/** Returns the id in the URL or path of an upload. */
function idIn(location: string, base: string): string | undefined {
  if (!location.includes(base)) return undefined
  const last = location.slice(location.lastIndexOf('/') + 1)
  return isUploadId(last) ? last : undefined
}
