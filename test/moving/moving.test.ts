import { expect, test } from 'vitest'
import { adoptMany } from './adopt-many.js'
import { move } from './move.js'
import { fromTusNode } from './moves.js'

test('clients of @tus/server finish with tuskit at the same URLs', async () => {
  expect(await move(fromTusNode())).toMatch(/^@tus\/server: 6 files, same URLs/)
})

test('a folder is adopted once', async () => {
  expect(await adoptMany(50)).toMatch(/^50 uploads: adopted in .+ again in .+, without a change$/)
})
