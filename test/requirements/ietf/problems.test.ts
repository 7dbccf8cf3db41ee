import { expect, test } from 'vitest'
import { serve } from '../../support/serve.js'
import { draft9, problemIn } from './draft.js'

const registry = 'https://iana.org/assignments/http-problem-types#'

test('R-110 an offset that does not match gets a problem with both offsets', async () => {
  const url = await draft9.started(await serve(), 'hello')
  const reply = await draft9.append(url, 4, ' world', draft9.end)
  expect(problemIn(reply)).toMatchObject({
    type: `${registry}mismatching-upload-offset`,
    status: 409,
    'expected-offset': 5,
    'provided-offset': 4,
  })
})

test('R-110 contradictory lengths get a problem with their type', async () => {
  const reply = await draft9.create(await serve(), 'hello', { ...draft9.end, 'upload-length': '6' })
  const { type, status } = problemIn(reply)
  expect([type, status]).toEqual([`${registry}inconsistent-upload-length`, 400])
})

test('R-110 HEAD gets no problem', async () => {
  const { origin } = await serve()
  const reply = await draft9.ask('HEAD', `${origin}/files/nobody`)
  expect([reply.status, reply.text]).toEqual([404, ''])
})
