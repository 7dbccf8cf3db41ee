import { expect, test } from 'vitest'
import { assertNextRevision } from 'tuskit/store-kit'
import { uploadOf } from '../file-store/stage.js'

test('the next revision may replace the record', () => {
  const [stored, next] = [3, 4].map((revision) => uploadOf('a', { revision }))
  expect(() => assertNextRevision(stored, next!)).not.toThrow()
})

test.each([
  ['the same revision', uploadOf('a', { revision: 3 })],
  ['an earlier revision', uploadOf('a', { revision: 2 })],
  ['a revision that skips one', uploadOf('a', { revision: 5 })],
])('%s is a conflict', (_, next) => {
  const stored = uploadOf('a', { revision: 3 })
  const conflict = expect.objectContaining({ code: 'ERR_INFO_CONFLICT' })
  expect(() => assertNextRevision(stored, next)).toThrow(conflict)
})

test('without a record, every revision is a conflict', () => {
  const conflict = expect.objectContaining({ code: 'ERR_INFO_CONFLICT' })
  expect(() => assertNextRevision(undefined, uploadOf('a'))).toThrow(conflict)
})
