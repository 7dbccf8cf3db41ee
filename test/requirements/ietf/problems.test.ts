import { expect, test } from 'vitest'
import { serve } from '../../support/serve.js'
import { append, ask, create, end, problemIn, started } from './draft.js'

const registry = 'https://iana.org/assignments/http-problem-types#'

test('R-110 an offset that does not match gets a problem with both offsets', async () => {
  const url = await started(await serve(), 9, 'hello')
  const reply = await append(url, 9, 4, ' world', end(9))
  expect(problemIn(reply)).toMatchObject({
    type: `${registry}mismatching-upload-offset`,
    status: 409,
    'expected-offset': 5,
    'provided-offset': 4,
  })
})

test('R-110 contradictory lengths get a problem with their type', async () => {
  const reply = await create(await serve(), 9, 'hello', { ...end(9), 'upload-length': '6' })
  const { type, status } = problemIn(reply)
  expect([type, status]).toEqual([`${registry}inconsistent-upload-length`, 400])
})

test('R-110 HEAD gets no problem', async () => {
  const { origin } = await serve()
  const reply = await ask('HEAD', `${origin}/files/nobody`, 9)
  expect([reply.status, reply.text]).toEqual([404, ''])
})
