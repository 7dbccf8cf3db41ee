import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { codeFiles, read, root } from './source-files.js'

// A checkout without a package has no `packages`.
const packages = existsSync(join(root, 'packages')) ? codeFiles('packages') : []
const all = [
  ...codeFiles('src', 'test', 'examples'),
  ...packages,
  'eslint.config.mjs',
  'vitest.config.ts',
]

test('the top level holds what it may hold', () => {
  const allowed = [
    ...['package.json', 'package-lock.json'],
    ...['eslint.config.mjs', 'tsconfig.json', 'vitest.config.ts'],
    ...['src', 'packages', 'examples', 'test', 'docs'],
    ...['LICENSE', 'README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'],
  ]
  const ignored = read('.gitignore').split(/\/?\n\/?/)
  // Names with a dot belong to git, npm and editors.
  const others = readdirSync(root).filter(
    (name) =>
      !name.startsWith('.') &&
      !allowed.includes(name) &&
      !ignored.includes(name) &&
      !name.endsWith('.tgz'),
  )
  expect(others).toEqual([])
})

test('test/README.md maps every folder of test, which has no loose files', () => {
  const entries = readdirSync(join(root, 'test'), { withFileTypes: true }).filter(
    ({ name }) => !name.startsWith('.'),
  )
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const mapped = [...read('test/README.md').matchAll(/^(?:\| |- )`([\w-]+)`/gm)].map(
    ([, name]) => name!,
  )
  expect(mapped.toSorted()).toEqual(folders.toSorted())
  expect(entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)).toEqual([
    'README.md',
  ])
})

test('files are kebab-case', () => {
  const kebab = /^([a-z0-9]+-)*[a-z0-9]+(\.(test|config|d))?\.([cm]?[jt]s|tsx)$/
  expect(all.filter((file) => !kebab.test(file.split('/').at(-1)!))).toEqual([])
})

test('no file is a drawer for leftovers', () => {
  expect(all.filter((file) => /(^|[/-])(utils?|helpers?|common|misc)[./-]/.test(file))).toEqual([])
})

test('files of src have at most 300 lines', () => {
  expect(codeFiles('src').filter((file) => read(file).split('\n').length > 301)).toEqual([])
})

test('nothing is postponed, skipped or silenced', () => {
  // A rule of the linter may be disabled where a reason follows: `-- the reason`.
  const markers =
    /\b(TO[D]O|FIX[M]E)\b|\b(test|it|describe)\.(only|skip|to[d]o)\b|@ts-(ignore|nocheck)|prettier-i[g]nore|eslint-d[i]sable(?!.* -- \w)/
  const found = all.flatMap((file) => {
    const lines = read(file).split('\n')
    return lines.flatMap((line, i) => (markers.test(line) ? [`${file}:${i + 1}: ${line}`] : []))
  })
  expect(found).toEqual([])
})

test('no test has a limit of its own, so that a busy machine fails none', () => {
  // `}, 60_000)` at the end of a test, or the option `timeout` at its beginning.
  const limit = /^ *(?:\}, [\d_]+\)|.*\btest.*\{ timeout: [\d_]+ \})/m
  expect("test('a', async () => {\n}, 60_000)").toMatch(limit)
  expect("test('a', { timeout: 60_000 }, async () => {})").toMatch(limit)
  const tests = codeFiles('test').filter((file) => file.endsWith('.test.ts'))
  expect(
    tests.filter((file) => file !== 'test/house/names.test.ts' && limit.test(read(file))),
  ).toEqual([])
})
