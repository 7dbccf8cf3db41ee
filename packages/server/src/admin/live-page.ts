import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { resolve } = createRequire(import.meta.url)

/** A file of the page. */
export interface PageFile {
  readonly type: string
  readonly content: Buffer
}

/** The files of the live page, by path. No other path leads to a file, however it is spelled. */
export const livePage: ReadonlyMap<string, PageFile> = new Map([
  ['/', file('index.html', 'text/html; charset=utf-8')],
  ['/page.css', file('page.css', 'text/css; charset=utf-8')],
  ['/page.js', file('page.js', 'text/javascript; charset=utf-8')],
  ['/row.js', file('row.js', 'text/javascript; charset=utf-8')],
  ['/figures.js', file('figures.js', 'text/javascript; charset=utf-8')],
  ['/icon.svg', file('icon.svg', 'image/svg+xml')],
])

function file(name: string, type: string): PageFile {
  return { type, content: readFileSync(resolve(`#pages/live/${name}`)) }
}
