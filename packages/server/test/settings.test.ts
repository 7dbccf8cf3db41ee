import { expect, test } from 'vitest'
import { runProgram } from './program.js'

test.each([
  [['--prot', '1'], 'Did you mean --port?'],
  [['srve'], 'Did you mean serve?'],
])('%s is refused', async (parameters, hint) => {
  const { code, errors } = await runProgram(parameters)
  expect(code).toBe(2)
  expect(errors).toContain(hint)
})
