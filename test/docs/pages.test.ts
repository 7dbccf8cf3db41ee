import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { exists, fragmentsOf, linksOf, readPages, root } from './pages.js'

const pages = await readPages()

test('links between pages and to files resolve', () => {
  const broken = pages.flatMap((page) =>
    linksOf(page)
      .filter(({ file, fragment }) => {
        if (!exists(file)) return true
        const target = pages.find(({ path }) => path === file)
        return fragment !== '' && !(target && fragmentsOf(target).has(fragment))
      })
      .map(({ file, fragment }) => `${page.path}: ${file}#${fragment}`),
  )
  expect(broken).toEqual([])
  expect(pages.flatMap(linksOf).length).toBeGreaterThan(50)
})

test('every page of docs is linked from docs/README.md', () => {
  const index = pages.find(({ path }) => path === 'docs/README.md')!
  const linked = linksOf(index).map(({ file }) => file)
  const others = pages.filter(({ path }) => path.startsWith('docs/') && path !== index.path)
  expect(others.map(({ path }) => path).filter((path) => !linked.includes(path))).toEqual([])
})

test('every export of every entry is mentioned', async () => {
  const text = pages.map((page) => page.text).join('\n')
  const names = (
    await Promise.all(Object.values(manifest.tsup.entry).map((entry) => exportsOf(entry)))
  ).flat()
  expect(names.length).toBeGreaterThan(60)
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([])
})

test('all blocks of JavaScript are valid JavaScript', () => {
  const wrong = pages.flatMap(({ path, blocks }) =>
    blocks.flatMap(({ code }) => {
      // Methods need a class around them. They are indented as they would be there.
      const source = code.startsWith('  ') ? `class Store {\n${code}}` : code
      const { diagnostics = [] } = ts.transpileModule(source, {
        reportDiagnostics: true,
        fileName: 'block.mjs',
        compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
      })
      return diagnostics.map(({ messageText }) => {
        const message = ts.flattenDiagnosticMessageText(messageText, '\n')
        return `${path}: ${message}: ${code}`
      })
    }),
  )
  expect(wrong).toEqual([])
})

test.each(['express', 'koa', 'fastify', 'hono'])(
  'docs/frameworks.md shows lines of examples/%s.mjs',
  async (name) => {
    const program = linesOf(await readFile(join(root, `examples/${name}.mjs`), 'utf8'))
    const page = pages.find(({ path }) => path === 'docs/frameworks.md')!
    const blocks = page.blocks.filter((block) => block.name === `${name}.mjs`)
    expect(blocks).not.toEqual([])
    for (const { code } of blocks) {
      const shown = linesOf(code)
      expect(shown.filter((line) => !program.includes(line))).toEqual([])
    }
  },
)

function linesOf(code: string): string[] {
  return code.split('\n').filter((line) => line.trim() !== '')
}

/** Returns the names that an entry re-exports, including types. */
async function exportsOf(entry: string): Promise<string[]> {
  const text = await readFile(join(root, entry), 'utf8')
  const { statements } = ts.createSourceFile(entry, text, ts.ScriptTarget.Latest)
  return statements
    .filter(ts.isExportDeclaration)
    .flatMap(({ exportClause }) =>
      exportClause && ts.isNamedExports(exportClause) ? [...exportClause.elements] : [],
    )
    .map(({ name }) => name.text)
}
