import { errors } from 'tuskit'
import { expect, test } from 'vitest'
import { read } from './source-files.js'

test('docs/errors.md has a heading with the status for each error code, in the order of the table', () => {
  const documented = read('docs/errors.md').matchAll(/^## (\S+)\n\n(\d+)\. /gm)
  expect([...documented].map(([, code, status]) => [code, Number(status)])).toEqual(
    Object.entries(errors).map(([code, [status]]) => [code, status]),
  )
})
