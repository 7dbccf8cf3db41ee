// @ts-check
import { readFileSync } from 'node:fs'

/** The files that are served, by path. No other path leads to a file, however it is spelled. */
const files = new Map([
  ['/', file('index.html', 'text/html; charset=utf-8')],
  ['/page.css', file('page.css', 'text/css; charset=utf-8')],
  ...['page.js', 'row.js', 'figures.js'].map((name) => script(`/${name}`, name)),
  ['/icon.svg', file('icon.svg', 'image/svg+xml')],
  script('/tus.min.js', import.meta.resolve('tus-js-client/dist/tus.min.js')),
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

/**
 * Serves the page at `/` and its files.
 *
 * @param {import('node:http').IncomingMessage} request
 * @param {import('node:http').ServerResponse} response
 */
export function servePage({ method, url = '' }, response) {
  const found = files.get(url.split('?', 1)[0] ?? '')
  if (found === undefined) return refuse(404, 'Not found')
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'Not allowed', 'GET, HEAD')
  response.writeHead(200, { ...headers, 'content-type': found.type })
  // Node omits the body for HEAD.
  response.end(found.content)

  /** @param {number} status @param {string} text @param {string} [allow] */
  function refuse(status, text, allow) {
    const plain = { ...headers, 'content-type': 'text/plain; charset=utf-8' }
    response.writeHead(status, allow === undefined ? plain : { ...plain, allow }).end(`${text}\n`)
  }
}

/**
 * @param {string} path
 * @param {string} name
 * @returns {[string, ReturnType<typeof file>]}
 */
function script(path, name) {
  return [path, file(name, 'text/javascript; charset=utf-8')]
}

/** @param {string} name @param {string} type */
function file(name, type) {
  return { content: readFileSync(new URL(name, import.meta.url)), type }
}
