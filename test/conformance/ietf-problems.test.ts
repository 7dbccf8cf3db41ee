import { expect, test } from 'vitest'
import { send, serve } from '../serve.js'
import { append, ask, create, end, more, problemIn, started, urlIn } from './draft.js'

const registry = 'https://iana.org/assignments/http-problem-types#'

test('R-110 an offset that does not match', async () => {
  const url = await started(await serve(), 9, 'hello')
  const reply = await append(url, 9, 4, ' world', end(9))
  expect(problemIn(reply)).toMatchObject({
    type: `${registry}mismatching-upload-offset`,
    status: 409,
    'expected-offset': 5,
    'provided-offset': 4,
  })
})

test('R-110 lengths that contradict each other', async () => {
  const reply = await create(await serve(), 9, 'hello', { ...end(9), 'upload-length': '6' })
  const { type, status } = problemIn(reply)
  expect([type, status]).toEqual([`${registry}inconsistent-upload-length`, 400])
})

test('R-110 HEAD has no problem', async () => {
  const { origin } = await serve()
  const reply = await ask('HEAD', `${origin}/files/nobody`, 9)
  expect([reply.status, reply.text]).toEqual([404, ''])
})

test('R-140 R-072 the access hook is asked for each request', async () => {
  const asked: string[] = []
  const site = await serve({ hooks: { access: ({ action }) => void asked.push(action) } })
  const url = urlIn(await create(site, 9, 'hello', more(9)), site)
  await ask('HEAD', url, 9)
  await ask('GET', url, 9)
  await append(url, 9, 5, '', end(9))
  await send({ method: 'GET', url })
  await ask('DELETE', url, 9)
  expect(asked).toEqual(['create', 'inspect', 'inspect', 'append', 'read', 'terminate'])
})

test('R-141 URLs have 122 random bits', async () => {
  const site = await serve()
  expect(urlIn(await create(site, 9, '', more(9)), site)).toMatch(/\/files\/[0-9a-f]{32}$/)
})

test('R-142 names and types are made harmless', async () => {
  const site = await serve()
  const fields = {
    ...end(9),
    'content-type': 'text/html',
    'content-disposition': 'inline; filename="../x\\"y.html"',
  }
  const url = urlIn(await create(site, 9, 'hello', fields), site)
  const { headers } = await send({ method: 'GET', url })
  expect(headers['content-disposition']).toMatch(/^attachment; filename="x_y.html"/)
  expect(headers['content-security-policy']).toBe('sandbox')
})

test('R-143 preFinish sees an upload when it is complete, and not before', async () => {
  let seen = 0
  const site = await serve({ hooks: { preFinish: () => void seen++ } })
  const url = await started(site, 9, 'hello', { 'upload-length': '5' })
  await ask('HEAD', url, 9)
  expect(seen).toBe(0)
  await append(url, 9, 5, '', end(9))
  expect(seen).toBe(1)
})

test('R-144 a request that brings nothing is ended after stallTimeout', async () => {
  const url = await started(await serve({ stallTimeout: 20 }), 9, 'hello')
  const reply = await append(url, 9, 5, '', { ...end(9), 'content-length': '10' })
  expect([reply.status, reply.headers['upload-offset']]).toEqual([503, '5'])
})
