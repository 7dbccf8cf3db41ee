import type { HandlerOptions } from 'tuskit'
import { describe, expect, test } from 'vitest'
import { download, fileComposer, serve, stores, temporaryDirectory } from '../../support/serve.js'
import { algorithms, digest } from './digest-fields.js'
import { chunked, draft9, draftOf, urlIn, versions } from './draft.js'
import { silent } from '../../support/silent.js'

describe.each(stores)('Want-Repr-Digest of a creation ($store store)', ({ compose }) => {
  const site = async (options: Partial<HandlerOptions> = {}) =>
    serve({ composer: await compose(), logger: silent, ...options })

  test.each(versions)(
    'R-132 a Repr-Digest is sent when the upload is complete, and not before, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const wanted = { 'want-repr-digest': 'sha-256=1' }
      const first = await draft.create(at, 'hello', { ...draft.more, ...wanted })
      const url = urlIn(first, at)
      const second = await draft.append(url, 5, ' wor', draft.more)
      const replies = [first, second, await draft.ask('HEAD', url)]
      expect(replies.map(({ headers }) => headers['repr-digest'])).toEqual(
        replies.map(() => undefined),
      )
      const last = await draft.append(url, 9, 'ld', draft.end)
      expect([last.status, last.headers['repr-digest']]).toEqual([201, digest('hello world')])
      for (const framing of [{}, chunked]) {
        const fields = { ...draft.end, ...framing, ...wanted }
        const whole = await draft.create(at, 'hello world', fields)
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
    const fields = { ...draft9.end, 'want-repr-digest': value }
    const { headers } = await draft9.create(await site(), 'hello world', fields)
    expect(headers['repr-digest']).toBe(digest('hello world', algorithm))
  })

  test('R-132 R-133 values that cannot be fulfilled are ignored', async () => {
    const at = await site()
    for (const value of ['sha-256=0', 'foo=1', 'sha256=1', 'sha-256', 'sha-256=1.0', '???', '']) {
      const fields = { ...draft9.end, 'want-repr-digest': value }
      const { status, headers } = await draft9.create(at, 'hello world', fields)
      expect([value, status, headers['repr-digest']]).toEqual([value, 201, undefined])
    }
  })

  test('R-132 a Repr-Digest is sent in addition to one that matches, also of another algorithm', async () => {
    const at = await site()
    const wanted = { 'want-repr-digest': 'md5=1' }
    const fields = { ...wanted, 'repr-digest': digest('hello world') }
    const url = await draft9.started(at, 'hello', fields)
    const { status, headers } = await draft9.append(url, 5, ' world', draft9.end)
    expect([status, headers['repr-digest']]).toEqual([201, digest('hello world', 'md5')])
  })

  test('R-131 R-132 a response to a Repr-Digest that differs does not reveal the right one', async () => {
    const at = await site()
    const wanted = { 'want-repr-digest': 'sha-256=1' }
    const fields = { ...wanted, 'repr-digest': digest('hello there') }
    const url = await draft9.started(at, 'hello', fields)
    for (const reply of [
      await draft9.append(url, 5, ' world', draft9.end),
      await draft9.append(url, 11, '', draft9.end),
      await draft9.ask('HEAD', url),
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
    const url = await draft9.started(at, 'hello', { 'want-repr-digest': 'sha-512=1' })
    const failed = await draft9.append(url, 5, ' world', draft9.end)
    expect([failed.status, failed.headers['repr-digest']]).toEqual([500, undefined])
    for (let i = 0; i < 2; i++) {
      const { status, headers, text } = await draft9.append(url, 11, '', draft9.end)
      expect([status, headers['x-file'], text]).toEqual([200, '7', 'done'])
      expect(headers['repr-digest']).toBe(digest('hello world', 'sha-512'))
    }
    expect(await download(url)).toBe('hello world')
  })
})

test('R-132 the recorded response has the digest too, also after a restart', async () => {
  const directory = await temporaryDirectory()
  const at = await serve({ composer: fileComposer(directory) })
  const url = await draft9.started(at, 'hello', { 'want-repr-digest': 'sha-256=1' })
  const next = await serve({ composer: fileComposer(directory) })
  const there = url.replace(at.origin, next.origin)
  expect((await draft9.append(there, 5, ' world', draft9.end)).headers['repr-digest']).toBe(
    digest('hello world'),
  )
  const last = await serve({ composer: fileComposer(directory) })
  const again = await draft9.append(url.replace(at.origin, last.origin), 11, '', draft9.end)
  expect([again.status, again.headers['repr-digest']]).toEqual([201, digest('hello world')])
})
