import { count, listOf, mode, origin, port, proxy, text, webUrl, yesOrNo } from './value-types.js'
import type { SettingTable } from './setting.js'

/** Where clients connect. */
export const listening = {
  host: {
    type: text('address'),
    default: '127.0.0.1',
    description: 'The address to listen on. 0.0.0.0 or :: listens on all of them.',
  },
  port: {
    type: port,
    default: '1080',
    description: 'The port to listen on. 0 takes any free one.',
  },
  'unix-socket': {
    type: text('path'),
    description: 'A Unix domain socket to listen on, instead of host and port.',
  },
  'unix-socket-mode': {
    type: mode,
    default: '660',
    description: 'The mode of the Unix domain socket.',
  },
  'tls-cert': {
    type: text('file'),
    description:
      'The certificate chain (PEM), which turns on HTTPS with HTTP/2. Is read again on SIGHUP.',
  },
  'tls-key': {
    type: text('file'),
    description: 'The private key (PEM). Is read again on SIGHUP.',
  },
  'behind-proxy': {
    type: listOf(proxy),
    description:
      'The proxies whose Forwarded and X-Forwarded-* headers count: addresses, ranges such as 10.0.0.0/8, or unix: for a Unix domain socket. By default none.',
  },
  'public-url': {
    type: webUrl,
    description:
      'The URL of the base path in Location headers. By default they hold a path, which is right for most proxies.',
  },
  cors: {
    type: listOf(origin),
    description:
      'Origins whose pages may upload, such as https://example.org, or * for all. By default only pages of the same origin.',
  },
  'cors-credentials': {
    type: yesOrNo,
    default: 'false',
    description: 'Lets those pages send cookies. Needs origins, not *.',
  },
  'cors-allow-headers': {
    type: listOf(text('name')),
    description: 'More request headers that those pages may send.',
  },
  'cors-expose-headers': {
    type: listOf(text('name')),
    description: 'More response headers that those pages may read.',
  },
  page: {
    type: yesOrNo,
    default: 'false',
    description: 'Serves a page to upload from at /.',
  },
  workers: {
    type: count,
    default: '1',
    description: 'Processes that share the port. One that dies is replaced.',
  },
} as const satisfies SettingTable
