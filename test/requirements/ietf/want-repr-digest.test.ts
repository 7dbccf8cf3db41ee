import type { HandlerOptions } from 'tuskit'
import { describe, expect, test } from 'vitest'
import { download, fileComposer, serve, stores, temporaryDirectory } from '../../support/serve.js'
import { algorithms, digest } from './digest-fields.js'
import { append, ask, chunked, create, end, more, started, urlIn, versions } from './draft.js'
import { silent } from '../../support/silent.js'

describe.each(stores)('Want-Repr-Digest of a creation ($store store)', ({ compose }) => {
  const site = async (options: Partial<HandlerOptions> = {}) =>
    serve({ composer: await compose(), logger: silent, ...options })

  test.each(versions)(
    'R-132 a Repr-Digest is sent when the upload is complete, and not before, version %s',
    async (version) => {
      const at = await site()
      const wanted = { 'want-repr-digest': 'sha-256=1' }
      const first = await create(at, version, 'hello', { ...more(version), ...wanted })
      const url = urlIn(first, at)
      const second = await append(url, version, 5, ' wor', more(version))
      const replies = [first, second, await ask('HEAD', url, version)]
      expect(replies.map(({ headers }) => headers['repr-digest'])).toEqual(
        replies.map(() => undefined),
      )
      const last = await append(url, version, 9, 'ld', end(version))
      expect([last.status, last.headers['repr-digest']]).toEqual([201, digest('hello world')])
      for (const framing of [{}, chunked]) {
        const fields = { ...end(version), ...framing, ...wanted }
        const whole = await create(at, version, 'hello world', fields)
        expect([whole.status, whole.headers['repr-digest']]).toEqual([201, digest('hello world')])
      }
    },
  )

  test.each([
    ...algorithms.map((name) => [`${name}=10`, name] as const),
    ['sha-256=3, sha-512=0', 'sha-256'],
    ['sha-256=3, sha-512=10, md5=4', 'sha-512'],
    ['crc32c=10, foo=9, sha=1', 'sha'],
    ['sha-512=11, md5=1', 'md5'],
    ['sha-512="10", md5=1', 'md5'],
    ['sha-512=:AAAA:, sha-256=-1, md5=1;q=2', 'md5'],
  ] as const)('R-132 R-133 %s gets a digest with %s', async (value, algorithm) => {
    const fields = { ...end(9), 'want-repr-digest': value }
    const { headers } = await create(await site(), 9, 'hello world', fields)
    expect(headers['repr-digest']).toBe(digest('hello world', algorithm))
  })

  test('R-132 R-133 values that cannot be fulfilled are ignored', async () => {
    const at = await site()
    for (const value of ['sha-256=0', 'foo=1', 'sha256=1', 'sha-256', 'sha-256=1.0', '???', '']) {
      const fields = { ...end(9), 'want-repr-digest': value }
      const { status, headers } = await create(at, 9, 'hello world', fields)
      expect([value, status, headers['repr-digest']]).toEqual([value, 201, undefined])
    }
  })

  test('R-132 a Repr-Digest is sent in addition to one that matches, also of another algorithm', async () => {
    const at = await site()
    const wanted = { 'want-repr-digest': 'md5=1' }
    const fields = { ...wanted, 'repr-digest': digest('hello world') }
    const url = await started(at, 9, 'hello', fields)
    const { status, headers } = await append(url, 9, 5, ' world', end(9))
    expect([status, headers['repr-digest']]).toEqual([201, digest('hello world', 'md5')])
  })

  test('R-131 R-132 a response to a Repr-Digest that differs does not reveal the right one', async () => {
    const at = await site()
    const wanted = { 'want-repr-digest': 'sha-256=1' }
    const fields = { ...wanted, 'repr-digest': digest('hello there') }
    const url = await started(at, 9, 'hello', fields)
    for (const reply of [
      await append(url, 9, 5, ' world', end(9)),
      await append(url, 9, 11, '', end(9)),
      await ask('HEAD', url, 9),
    ]) {
      expect([reply.status, reply.headers['repr-digest']]).toEqual([400, undefined])
    }
  })

  test("R-132 a Repr-Digest is added to the application's response, also after a failure", async () => {
    const failures = ['first']
    const response = { status: 200, headers: { 'x-file': '7' }, body: 'done' }
    const preFinish = () => {
      const failure = failures.shift()
      if (failure !== undefined) throw new Error(failure)
      return { response }
    }
    const at = await site({ hooks: { preFinish } })
    const url = await started(at, 9, 'hello', { 'want-repr-digest': 'sha-512=1' })
    const failed = await append(url, 9, 5, ' world', end(9))
    expect([failed.status, failed.headers['repr-digest']]).toEqual([500, undefined])
    for (let i = 0; i < 2; i++) {
      const { status, headers, text } = await append(url, 9, 11, '', end(9))
      expect([status, headers['x-file'], text]).toEqual([200, '7', 'done'])
      expect(headers['repr-digest']).toBe(digest('hello world', 'sha-512'))
    }
    expect(await download(url)).toBe('hello world')
  })
})

test('R-132 the recorded response has the digest too, also after a restart', async () => {
  const directory = await temporaryDirectory()
  const at = await serve({ composer: fileComposer(directory) })
  const url = await started(at, 9, 'hello', { 'want-repr-digest': 'sha-256=1' })
  const next = await serve({ composer: fileComposer(directory) })
  const there = url.replace(at.origin, next.origin)
  expect((await append(there, 9, 5, ' world', end(9))).headers['repr-digest']).toBe(
    digest('hello world'),
  )
  const last = await serve({ composer: fileComposer(directory) })
  const again = await append(url.replace(at.origin, last.origin), 9, 11, '', end(9))
  expect([again.status, again.headers['repr-digest']]).toEqual([201, digest('hello world')])
})
