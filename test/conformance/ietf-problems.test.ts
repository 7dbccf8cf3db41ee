import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { download, send, serve, stores } from '../serve.js'
import { append, ask, create, end, more, problemIn, started, stateOf, urlIn } from './draft.js'

const registry = 'https://iana.org/assignments/http-problem-types#'
const sha256 = (text: string) => `sha-256=:${createHash('sha256').update(text).digest('base64')}:`

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

describe.each(stores)('$store store', ({ compose }) => {
  test('R-130 a Content-Digest that differs: 400, and nothing is stored', async () => {
    const url = await started(await serve({ composer: await compose() }), 9, 'hello')
    const wrong = { ...end(9), 'content-digest': sha256('other') }
    const reply = await append(url, 9, 5, ' world', wrong)
    expect([reply.status, reply.headers['upload-complete']]).toEqual([400, '?0'])
    expect(problemIn(reply)).toMatchObject({
      type: `${registry}digest-mismatched-values`,
      mismatched_digests: [{ algorithm: 'sha-256', header: 'Content-Digest' }],
    })
    expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?0' })
    const right = { ...end(9), 'content-digest': sha256(' world') }
    expect((await append(url, 9, 5, ' world', right)).status).toBe(201)
    expect(await download(url)).toBe('hello world')
  })

  test('R-131 a Repr-Digest of the creation is verified at the end', async () => {
    const site = await serve({ composer: await compose() })
    const right = await started(site, 9, 'hello', { 'repr-digest': sha256('hello world') })
    expect((await append(right, 9, 5, ' world', end(9))).headers['upload-complete']).toBe('?1')
    const wrong = await started(site, 9, 'hello', { 'repr-digest': sha256('hello there') })
    const reply = await append(wrong, 9, 5, ' world', end(9))
    expect([reply.status, reply.headers['upload-complete']]).toEqual([400, '?1'])
    const head = await ask('HEAD', wrong, 9)
    expect([head.status, head.headers['upload-complete']]).toEqual([400, '?1'])
  })

  test('R-132 Want-Repr-Digest is answered when the upload is complete', async () => {
    const site = await serve({ composer: await compose() })
    const url = await started(site, 9, 'hello', { 'want-repr-digest': 'sha-256=3, sha-512=0' })
    const reply = await append(url, 9, 5, ' world', end(9))
    expect(reply.headers['repr-digest']).toBe(sha256('hello world'))
  })
})

test('R-131 a Repr-Digest of an append is none of the whole', async () => {
  const url = await started(await serve(), 9, 'hello')
  const fields = { ...end(9), 'repr-digest': sha256('patch document') }
  expect((await append(url, 9, 5, ' world', fields)).headers['upload-complete']).toBe('?1')
})

describe('R-133 R-134 digests that cannot be verified', () => {
  const cases = [
    ['unknown algorithms only', 'crc32c=:AAAAAA==:', 'digest-unsupported-algorithms'],
    ['a digest of the wrong length', 'sha-256=:AAAA:', 'digest-invalid-values'],
    ['a value of the wrong type', 'sha-256=1', 'digest-invalid-values'],
  ] as const
  test.each(cases)('R-133 R-134 %s: 400', async (_, value, type) => {
    for (const name of ['content-digest', 'repr-digest']) {
      const reply = await create(await serve(), 9, 'hello', { ...end(9), [name]: value })
      expect([reply.status, problemIn(reply).type]).toEqual([400, registry + type])
    }
  })

  test('R-133 unknown algorithms beside a known one are ignored', async () => {
    const fields = { ...end(9), 'content-digest': `crc32c=:AAAAAA==:, ${sha256('hello')}` }
    expect((await create(await serve(), 9, 'hello', fields)).status).toBe(201)
  })
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
