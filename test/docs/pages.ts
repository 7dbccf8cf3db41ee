import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

/** A code block of a page. `name` is the text after the language. */
export interface CodeBlock {
  readonly name: string
  readonly code: string
}

/** A page of the documentation. `path` is relative to the root. */
export interface Page {
  readonly path: string
  readonly text: string
  /** Blocks of JavaScript, in order. */
  readonly blocks: readonly CodeBlock[]
}

/** Reads all pages. */
export async function readPages(): Promise<readonly Page[]> {
  const names = await readdir(join(root, 'docs'), { recursive: true })
  const inDocs = names.filter((name) => name.endsWith('.md'))
  const packages = existsSync(join(root, 'packages')) ? await readdir(join(root, 'packages')) : []
  const readmes = packages.map((name) => `packages/${name}/README.md`)
  const paths = [
    ...readmes.filter(exists),
    ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'test/README.md'],
    'examples/proxies/README.md',
    ...inDocs.map((name) => `docs/${name}`),
  ]
  return Promise.all(paths.map((path) => readPage(path)))
}

/** Reads a page. `base` is the folder that `path` is relative to. */
export async function readPage(path: string, base = root): Promise<Page> {
  const text = await readFile(join(base, path), 'utf8')
  const found = text.matchAll(/^```js\b *(.*)\n([^]*?)^```$/gm)
  return { path, text, blocks: [...found].map(([, name, code]) => ({ name: name!, code: code! })) }
}

/**
 * Returns the links of a page to files of the repository, as paths relative to the root, with their
 * fragments.
 */
export function linksOf({
  path,
  text,
}: Page): { readonly file: string; readonly fragment: string }[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
  return targets
    .filter((target) => !/^https?:/.test(target))
    .map((target) => {
      const [file, fragment = ''] = target.split('#') as [string, string?]
      return { file: file === '' ? path : join(dirname(path), file), fragment }
    })
}

export function exists(file: string): boolean {
  return existsSync(join(root, file))
}

/** Returns the fragments with which links can point into a page, as GitHub makes them. */
export function fragmentsOf({ text }: Page): ReadonlySet<string> {
  const prose = text.replace(/^```[^]*?^```$/gm, '')
  const headings = [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  )
  return new Set(
    headings.map((name, index) => {
      const before = headings.slice(0, index).filter((other) => other === name).length
      return before === 0 ? name : `${name}-${before}`
    }),
  )
}
