import type { OutgoingHttpHeaders } from 'node:http'
import { createUpload, patch, post, type Reply, type Site } from '../../support/serve.js'

/** Creates a partial upload with these bytes, and returns its URL. */
export async function createPartial(site: Site, body: string): Promise<string> {
  const url = await createUpload(site, {
    'upload-length': String(body.length),
    'upload-concat': 'partial',
  })
  if (body !== '') await patch(url, 0, body)
  return url
}

/** Requests the final upload of a list of URLs. */
export function concat(
  site: Site,
  urls: string,
  headers: OutgoingHttpHeaders = {},
): Promise<Reply> {
  return post(site, { 'upload-concat': `final;${urls}`, ...headers })
}

/** Creates the final upload of these parts, and returns its URL. */
export function createFinal(site: Site, ...urls: string[]): Promise<string> {
  return createUpload(site, { 'upload-concat': `final;${urls.join(' ')}` })
}
