import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'

const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' }

/** The files that are served, by path. No other path leads to a file, however it is spelled. */
const files = new Map([
  ['/', file(new URL('../page/index.html', import.meta.url), 'html')],
  ['/page.css', file(new URL('../page/page.css', import.meta.url), 'css')],
  ...['page.js', 'row.js', 'figures.js'].map((name) => {
    return [`/${name}`, file(new URL(`../page/${name}`, import.meta.url), 'js')] as const
  }),
  ['/icon.svg', file(new URL('../page/icon.svg', import.meta.url), 'svg')],
  ['/tus.min.js', file(import.meta.resolve('tus-js-client/dist/tus.min.js'), 'js')],
])

const headers = {
  'content-security-policy': [
    "default-src 'none'",
    ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
    ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
}

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

function file(url: URL | string, type: keyof typeof types) {
  const isText = type !== 'svg'
  const charset = isText ? '; charset=utf-8' : ''
  return { content: readFileSync(new URL(url)), type: `${types[type]}${charset}` }
}

function withEndpoint(page: Buffer, endpoint: string): string {
  const escaped = endpoint.replace(/[&"<]/g, (character) => `&#${character.charCodeAt(0)};`)
  return page.toString().replace('data-endpoint="/files/"', () => `data-endpoint="${escaped}"`)
}
