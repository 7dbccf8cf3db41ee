import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { read, root } from '../house/source-files.js'
import { mutate, mutations } from './mutations.mjs'

describe.each(mutations)('law $law', (mutation) => {
  test('the text to replace occurs once', () => {
    expect(mutate(mutation, read(mutation.file))).toContain(mutation.replacement)
  })

  test('the tests that have to fail exist', () => {
    const tests = read(mutation.testFile)
    expect(mutation.titles.filter((title) => !tests.includes(title))).toEqual([])
  })
})

test('sources with faults compile', () => {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  const host = ts.createCompilerHost(options)
  const readFile = host.readFile.bind(host)
  host.readFile = (path) =>
    mutations
      .filter(({ file }) => root + file === path)
      .reduce<string | undefined>((code, mutation) => mutate(mutation, code!), readFile(path))
  const files = mutations.map(({ file }) => root + file)
  // A fault may leave something without use.
  const loose = { ...options, noUnusedLocals: false, noUnusedParameters: false }
  const program = ts.createProgram(files, loose, host)
  const found = files.flatMap((file) => {
    const source = program.getSourceFile(file)!
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
  })
  expect(ts.formatDiagnostics(found, host)).toBe('')
})

test('CONTRIBUTING.md shows the list', () => {
  const rows = mutations.map(({ law, promise, file, change, testFile }) => {
    const tests = testFile.replace(/^test\/|\.test\.ts$/g, '')
    return `| ${law}, ${promise} | \`${file}\`: ${change} | \`${tests}\` |\n`
  })
  const [, table] = /^\| law \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(read('CONTRIBUTING.md')) ?? []
  expect(table).toBe(rows.join(''))
})
