import { StoreComposer, type HandlerOptions } from 'tuskit'
import { describe, expect, test } from 'vitest'
import { download, serve, stores } from '../../support/serve.js'
import { base64Of, digest, digestProblem } from './digest-fields.js'
import { chunked, draft9, problemIn } from './draft.js'

test('R-134 the problem names the digest that differs, and no other', async () => {
  const url = await draft9.started(await serve(), 'hello')
  const fields = {
    ...draft9.end,
    'content-digest': `${digest(' world')}, ${digest('other', 'md5')}, ${digest(' world', 'sha')}`,
    // A Repr-Digest of an append is ignored.
    'repr-digest': digest('patch document'),
  }
  const problem = problemIn(await draft9.append(url, 5, ' world', fields))
  const provided = `:${base64Of('other', 'md5')}:`
  expect(problem.mismatched_digests).toEqual([
    { algorithm: 'md5', provided_digest: provided, header: 'Content-Digest' },
  ])
})

/** Values that cannot be verified, and the type of the problem. */
const invalid: readonly (readonly [what: string, value: string, type: string])[] = [
  ['a digest that is too short', 'sha-256=:AAAA:', 'invalid-values'],
  ['a digest that is too long', `sha=:${base64Of('', 'sha-256')}:`, 'invalid-values'],
  ['an empty digest', 'md5=::', 'invalid-values'],
  ['a number', 'sha-256=1', 'invalid-values'],
  ['a string', `sha-256="${base64Of('hello', 'sha-256')}"`, 'invalid-values'],
  ['no value', 'sha-512', 'invalid-values'],
  ['a list', `sha-256=(:${base64Of('hello', 'sha-256')}:)`, 'invalid-values'],
  ['an invalid digest next to a valid one', `${digest('hello')}, md5=:AAAA:`, 'invalid-values'],
  ['an unknown algorithm', 'crc32c=:AAAAAA==:', 'unsupported-algorithms'],
  [
    'algorithms by their names in tus',
    'sha1=:AAAA:, sha256=:AAAA:, crc32=:AAAAAA==:',
    'unsupported-algorithms',
  ],
  ['a name that every object has', 'constructor=:AAAA:', 'unsupported-algorithms'],
]

/** Values that are not a Dictionary (RFC 9651). */
const unreadable = [
  base64Of('hello', 'sha-256'),
  `SHA-256=:${base64Of('hello', 'sha-256')}:`,
  `sha-256=${base64Of('hello', 'sha-256')}`,
  `sha-256=:${base64Of('hello', 'sha-256')}`,
  'sha-256=:!!!:',
  `${digest('hello')},`,
  `${digest('hello')} ${digest('hello', 'md5')}`,
]

/** Asserts that a creation and an append are refused alike: nothing is created, no byte counts. */
async function refused(value: string, options: Partial<HandlerOptions> = {}) {
  let created = 0
  const hooks = { postCreate: () => void created++ }
  const at = await serve({ hooks, ...options })
  const creation = await draft9.create(at, 'hello', { ...draft9.end, 'content-digest': value })
  expect([value, creation.status, creation.headers.location]).toEqual([value, 400, undefined])
  expect([value, created]).toEqual([value, 0])
  const url = await draft9.started(at, 'hello')
  const reply = await draft9.append(url, 5, ' world', { ...draft9.end, 'content-digest': value })
  expect([value, reply.status, reply.headers['upload-complete']]).toEqual([value, 400, '?0'])
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft9.more })
  expect((await draft9.append(url, 5, ' world', draft9.end)).status).toBe(201)
  expect(await download(url)).toBe('hello world')
  expect(problemIn(creation).type).toBe(problemIn(reply).type)
  return problemIn(reply)
}

test.each(invalid)('R-133 R-134 %s gets 400, and nothing is stored', async (_, value, type) => {
  expect((await refused(value)).type).toBe(digestProblem + type)
})

test('R-134 the problem names the unknown algorithms and the invalid digests', async () => {
  expect((await refused('foo=:AAAA:, crc32c=1')).unsupported_algorithms).toEqual([
    { algorithm: 'foo', header: 'Content-Digest' },
    { algorithm: 'crc32c', header: 'Content-Digest' },
  ])
  const { invalid_digests: digests } = await refused(`md5=:AAAA:, ${digest('hello')}`)
  expect(digests).toMatchObject([{ algorithm: 'md5', header: 'Content-Digest' }])
})

test('R-134 a field that cannot be parsed gets 400, without the type for invalid values', async () => {
  for (const value of unreadable) {
    const { type } = await refused(value)
    expect([value, type]).not.toEqual([value, `${digestProblem}invalid-values`])
  }
})

test('R-133 an empty field gets 400, because it has no digest to verify', async () => {
  await refused('')
})

test('R-133 unknown algorithms are ignored next to a known one, which is verified', async () => {
  const url = await draft9.started(await serve(), 'hello')
  for (const unknown of ['crc32c=:AAAAAA==:', 'unixsum=1', 'foo', 'sha256=:AAAA:']) {
    const fields = { ...draft9.more, 'content-digest': `${unknown}, ${digest('!')}` }
    expect((await draft9.append(url, 5, '?', fields)).status).toBe(400)
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5' })
  }
  const fields = { ...draft9.end, 'content-digest': `foo=1, ${digest(' world')};q=1` }
  expect((await draft9.append(url, 5, ' world', fields)).status).toBe(201)
  expect(await download(url)).toBe('hello world')
})

describe.each(stores)('where nothing is verified ($store store)', ({ compose }) => {
  const ways: readonly (readonly [string, () => Promise<Partial<HandlerOptions>>])[] = [
    ['disabled', async () => ({ composer: await compose(), disable: ['checksum'] })],
    [
      'without a VerifiedAppender',
      async () => {
        const { dataStore, infoStore, contentReader } = (await compose()).slots()
        const composer = new StoreComposer().useDataStore(dataStore!).useInfoStore(infoStore!)
        return { composer: composer.useContentReader(contentReader!) }
      },
    ],
  ]

  test.each(ways)(
    'R-130 R-133 a Content-Digest is refused, right or wrong: %s',
    async (_, options) => {
      for (const value of [
        digest('hello'),
        digest(' world'),
        digest('other'),
        'sha-256=1',
        'foo=1',
      ]) {
        await refused(value, await options())
      }
    },
  )

  test.each(ways)('R-134 the problem names every algorithm: %s', async (_, options) => {
    const url = await draft9.started(await serve(await options()), 'hello')
    const value = `${digest(' world')}, foo=1`
    const reply = await draft9.append(url, 5, ' world', { ...draft9.end, 'content-digest': value })
    expect(problemIn(reply)).toMatchObject({
      type: `${digestProblem}unsupported-algorithms`,
      unsupported_algorithms: [
        { algorithm: 'foo', header: 'Content-Digest' },
        { algorithm: 'sha-256', header: 'Content-Digest' },
      ],
    })
  })

  test.each(ways)('R-130 an announced trailer is refused: %s', async (_, options) => {
    const url = await draft9.started(await serve(await options()), 'hello')
    const fields = { ...draft9.end, ...chunked, trailer: 'Content-Digest' }
    expect((await draft9.append(url, 5, ' world', fields)).status).toBe(400)
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft9.more })
  })
})
