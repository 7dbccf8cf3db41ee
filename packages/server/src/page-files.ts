import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, extname, join } from 'node:path'

const { resolve } = createRequire(import.meta.url)

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

/** Returns the files of a page by path. No other path leads to a file, however it is spelled. */
export function pageFiles(page: 'live' | 'upload'): ReadonlyMap<string, PageFile> {
  const folder = dirname(resolve(`#pages/${page}/index.html`))
  const paths = [
    resolve('#pages/look.css'),
    ...readdirSync(folder).map((name) => join(folder, name)),
  ]
  return new Map(
    paths.map((path) => {
      const name = basename(path)
      return [name === 'index.html' ? '/' : `/${name}`, pageFile(path)]
    }),
  )
}

/** Returns a file, with the type that its name says. */
export function pageFile(path: string): PageFile {
  return { type: types[extname(path)]!, content: readFileSync(path) }
}
