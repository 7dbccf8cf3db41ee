import ts from 'typescript'
import { expect, test } from 'vitest'
import { codeFiles, read } from '../house/source-files.js'

/** Numbers: T-001 and up for tus, R-001 and up for the IETF draft, D1 and up for dispatch. */
const numberPattern = /\b(?:[TR]-\d{3}|D\d{1,2})\b/g

/** The rows of docs/conformance.md: the number, and the files that the last cell names. */
const rows = [
  ...read('docs/conformance.md').matchAll(/^\| ([TR]-\d{3}|D\d{1,2}) \|.*\| ([^|]+) \|$/gm),
].map(([, number = '', files = '']) => ({
  number,
  files: files
    .split(', ')
    .map((file) => (file.startsWith('test/') ? file : `test/requirements/${file}`)),
}))

/** The numbers in the titles of tests, by file. */
const tested = new Map(
  codeFiles('test')
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => [
      file,
      new Set(titlesIn(file).flatMap((title) => title.match(numberPattern) ?? [])),
    ]),
)

/** Returns the titles of the tests in a file, including those of `test.each(…)` and the like. */
function titlesIn(file: string): string[] {
  const titles: string[] = []
  const visit = (node: ts.Node): void => {
    const [title] = ts.isCallExpression(node) ? node.arguments : []
    if (ts.isCallExpression(node) && title !== undefined && ts.isStringLiteralLike(title)) {
      if (isTest(node.expression)) titles.push(title.text)
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest))
  return titles
}

/** Recognises `test`, `test.each(…)`, `test.runIf(…)`, but no test that is skipped or a todo. */
function isTest(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return callee.text === 'test'
  if (ts.isCallExpression(callee)) return isTest(callee.expression)
  if (!ts.isPropertyAccessExpression(callee)) return false
  return !['skip', 'todo', 'fails'].includes(callee.name.text) && isTest(callee.expression)
}

function valueOf(number: string): number {
  return Number(/\d+/.exec(number)![0])
}

test('docs/conformance.md lists every requirement once, in order', () => {
  const numbers = rows.map(({ number }) => number)
  expect(numbers.length).toBeGreaterThan(0)
  for (const letter of ['T', 'R', 'D']) {
    const own = numbers.filter((number) => number.startsWith(letter))
    expect(own.length).toBeGreaterThan(0)
    expect(own).toEqual([...new Set(own)].toSorted((a, b) => valueOf(a) - valueOf(b)))
  }
  const rest = read('docs/conformance.md').match(numberPattern) ?? []
  expect(rest.filter((number) => !numbers.includes(number))).toEqual([])
})

test('every requirement has a test in each file that docs/conformance.md names', () => {
  const untested = rows.flatMap(({ number, files }) =>
    files.filter((file) => !tested.get(file)?.has(number)).map((file) => `${number} in ${file}`),
  )
  expect(untested).toEqual([])
})

test('every number in the title of a test is listed in docs/conformance.md', () => {
  const listed = new Set(rows.map(({ number }) => number))
  const unlisted = [...tested].flatMap(([file, numbers]) =>
    [...numbers].filter((number) => !listed.has(number)).map((number) => `${number} in ${file}`),
  )
  expect(unlisted).toEqual([])
})
