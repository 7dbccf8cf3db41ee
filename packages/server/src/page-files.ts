import { extname } from 'node:path'
import { asset } from './asset.js'

/** A file of a page. */
export interface PageFile {
  readonly type: string
  readonly content: Buffer
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Headers that let a page load its own files, and nothing else. */
export const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
    ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

/** The files that each page has. */
const names = ['index.html', 'page.css', 'page.js', 'figures.js', 'row.js', 'icon.svg']

/** Returns the files of a page by path. No other path leads to a file, however it is spelled. */
export function pageFiles(page: 'live' | 'upload'): ReadonlyMap<string, PageFile> {
  return new Map([
    ['/look.css', pageFile('#pages/look.css')],
    ...names.map((name) => {
      const path = name === 'index.html' ? '/' : `/${name}`
      return [path, pageFile(`#pages/${page}/${name}`)] as const
    }),
  ])
}

/** Returns a file, with the type that its name says. */
export function pageFile(name: string): PageFile {
  return { type: types[extname(name)]!, content: asset(name) }
}
