import ts from 'typescript'
import { errors } from 'tuskit'
import * as storeKit from 'tuskit/store-kit'
import { expect, test } from 'vitest'
import { read } from './source-files.js'

test('docs/errors.md has a heading with the status for each error code, in the order of the table', () => {
  const documented = read('docs/errors.md').matchAll(/^## (\S+)\n\n(\d+)\. /gm)
  expect([...documented].map(([, code, status]) => [code, Number(status)])).toEqual(
    Object.entries(errors).map(([code, [status]]) => [code, status]),
  )
})

test('docs/options.md has a heading for each option of the handler, the server and the stores', () => {
  const files = [
    ...['handler-options', 'http/cors', 'create-upload-server', 'memory-store/memory-store'],
    ...['file-store/disk/directory-options', 'file-store/file-store', 'file-store/file-locker'],
    'limited-store/limited-store',
  ]
  const options = new Set(files.flatMap((name) => optionsIn(`src/${name}.ts`)))
  const headings = [...read('docs/options.md').matchAll(/^### `(\w+)`$/gm)].map(([, name]) => name)
  expect(new Set(headings)).toEqual(options)
})

test('docs/hook-programs.md has a row for each option of programs and URLs', () => {
  const files = ['exec-hooks/exec-hooks', 'http-hooks/http-hooks', 'hook-formats/format-hook-call']
  const options = new Set(files.flatMap((name) => optionsIn(`src/${name}.ts`)))
  const rows = [...read('docs/hook-programs.md').matchAll(/^\| ((`\w+`(, )?)+) \|/gm)]
  const names = rows.flatMap(([, cell]) => cell!.replaceAll('`', '').split(', '))
  const members = /^[A-Z]/
  expect(new Set(names.filter((name) => !members.test(name)))).toEqual(
    new Set([...options, 'format']),
  )
})

test('docs/store-kit.md has a heading for each part', () => {
  const headings = [...read('docs/store-kit.md').matchAll(/^### (.*)$/gm)].map(([line]) => line)
  const names = headings.flatMap((line) => [...line.matchAll(/`(\w+)`/g)].map(([, name]) => name))
  expect(new Set(names)).toEqual(new Set(Object.keys(storeKit)))
})

/** Returns the members of exported interfaces named `…Options`. */
function optionsIn(file: string): string[] {
  const { statements } = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest)
  return statements
    .filter(ts.isInterfaceDeclaration)
    .filter(({ name, modifiers }) => modifiers !== undefined && name.text.endsWith('Options'))
    .flatMap(({ members }) => members.filter(ts.isPropertySignature))
    .map(({ name }) => (name as ts.Identifier).text)
}
