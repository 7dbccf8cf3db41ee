import type { IncomingMessage, ServerResponse } from 'node:http'
import { pageFile, pageFiles, pageHeaders } from './page-files.js'

const headers = { ...pageHeaders, 'cache-control': 'no-cache' }

const files = new Map([
  ...pageFiles('upload'),
  ['/tus.min.js', pageFile('tus-js-client/dist/tus.min.js')],
])

/** Serves the page to upload from at `/`, and its files. It sends files to `endpoint`. */
export function servePage(
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
  endpoint: string,
): void {
  const path = url.split('?', 1)[0] ?? ''
  const found = files.get(path)
  if (found === undefined) return refuse(404, 'Not found')
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'Not allowed', 'GET, HEAD')
  response.writeHead(200, { ...headers, 'content-type': found.type })
  // Node omits the body for HEAD.
  response.end(path === '/' ? withEndpoint(found.content, endpoint) : found.content)

  function refuse(status: number, text: string, allow?: string): void {
    const plain = { ...headers, 'content-type': 'text/plain; charset=utf-8' }
    response.writeHead(status, allow === undefined ? plain : { ...plain, allow }).end(`${text}\n`)
  }
}

function withEndpoint(page: Buffer, endpoint: string): string {
  const escaped = endpoint.replace(/[&"<]/g, (character) => `&#${character.charCodeAt(0)};`)
  return page.toString().replace('data-endpoint="/files/"', () => `data-endpoint="${escaped}"`)
}
