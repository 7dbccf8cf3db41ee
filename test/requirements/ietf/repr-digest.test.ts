import { gzipSync } from 'node:zlib'
import type { HandlerOptions, HookContext } from 'tuskit'
import { describe, expect, test } from 'vitest'
import { download, send, serve, stores, type Reply, type Site } from '../../support/serve.js'
import { algorithms, base64Of, digest, digestProblem } from './digest-fields.js'
import {
  chunked,
  draft9,
  draftOf,
  type Fields,
  problemIn,
  type Version,
  versions,
} from './draft.js'
import { silent } from '../../support/silent.js'

const right = { 'repr-digest': digest('hello world') }
const wrong = { 'repr-digest': digest('hello there') }

/** The ways in which the last byte, and the header that says so, can arrive. */
const endings: readonly {
  readonly how: string
  readonly finish: (site: Site, version: Version, fields: Fields) => Promise<Reply>
}[] = [
  {
    how: 'a creation',
    finish: (site, version, fields) =>
      draftOf(version).create(site, 'hello world', { ...draftOf(version).end, ...fields }),
  },
  {
    how: 'a chunked creation',
    finish: (site, version, fields) =>
      draftOf(version).create(site, 'hello world', {
        ...draftOf(version).end,
        ...chunked,
        ...fields,
      }),
  },
  {
    how: 'many appends',
    finish: async (site, version, fields) => {
      const draft = draftOf(version)
      const url = await draft.started(site, '', fields)
      for (const [offset, letter] of [...'hello worl'].entries()) {
        const { headers } = await draft.append(url, offset, letter, draft.more)
        expect(headers).toMatchObject({ 'upload-offset': String(offset + 1), ...draft.more })
      }
      return draft.append(url, 10, 'd', draft.end)
    },
  },
  {
    how: 'a chunked append',
    finish: async (site, version, fields) => {
      const draft = draftOf(version)
      const url = await draft.started(site, 'hello', fields)
      return draft.append(url, 5, ' world', { ...draft.end, ...chunked })
    },
  },
  {
    how: 'an empty append',
    finish: async (site, version, fields) => {
      const draft = draftOf(version)
      const url = await draft.started(site, 'hello world', fields)
      expect(await draft.stateOf(url)).toMatchObject(draft.more)
      return draft.append(url, 11, '', draft.end)
    },
  },
]

describe.each(stores)('a Repr-Digest of a creation ($store store)', ({ compose }) => {
  /** Starts a server, and records the calls of its hooks and the URL of the last upload. */
  async function site(options: Partial<HandlerOptions> = {}) {
    const asked: string[] = []
    const finished: string[] = []
    const ids: string[] = []
    const hooks = {
      postCreate: ({ upload }: HookContext) => void ids.push(upload.id),
      preFinish: ({ upload }: HookContext) => void asked.push(upload.id),
      postFinish: ({ upload }: HookContext) => void finished.push(upload.id),
    }
    const at = await serve({
      composer: await compose(),
      logger: silent,
      ...options,
      hooks: { ...hooks, ...options.hooks },
    })
    return { ...at, asked, finished, url: () => `${at.origin}/files/${ids.at(-1)}` }
  }

  test.each(endings)('R-131 a match finishes the upload, completed by $how', async ({ finish }) => {
    for (const version of versions) {
      const draft = draftOf(version)
      const at = await site()
      const reply = await finish(at, version, right)
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      expect(at.asked).toHaveLength(1)
      expect(await draft.stateOf(at.url())).toMatchObject(draft.end)
      expect(await download(at.url())).toBe('hello world')
      await at.handler.shutdown()
      expect(at.finished).toEqual(at.asked)
    }
  })

  test.each(endings)(
    'R-131 a mismatch rejects the upload permanently, completed by $how',
    async ({ finish }) => {
      for (const version of versions) {
        const draft = draftOf(version)
        const at = await site()
        const reply = await finish(at, version, wrong)
        expect(reply.status).toBe(400)
        expect(reply.headers).toMatchObject(draft.end)
        // Later requests get the same response.
        for (const again of [
          await draft.append(at.url(), 11, '', draft.end),
          await draft.append(at.url(), 11, '', draft.more),
          await draft.append(at.url(), 0, 'hello there', draft.end),
        ]) {
          expect([again.status, again.text]).toEqual([400, reply.text])
          expect(again.headers).toMatchObject(draft.end)
        }
        for (const method of ['HEAD', 'GET'] as const) {
          const { status, headers } = await draft.ask(method, at.url())
          expect(status).toBe(400)
          expect(headers).toMatchObject(draft.end)
        }
        const read = await send({ method: 'GET', url: at.url() })
        expect([read.status, read.text.includes('hello')]).toEqual([400, false])
        expect(await at.handler.uploads.finishPending()).toBe(0)
        await at.handler.shutdown()
        expect([at.asked, at.finished]).toEqual([[], []])
      }
    },
  )

  test.each(endings)(
    'R-131 R-134 a mismatch has its problem type, completed by $how',
    async ({ finish }) => {
      const reply = await finish(await site(), 9, wrong)
      expect(problemIn(reply)).toMatchObject({
        type: `${digestProblem}mismatched-values`,
        status: 400,
      })
      expect(reply.text).not.toContain(base64Of('hello world', 'sha-256'))
    },
  )

  test.each(algorithms)('R-131 R-133 %s is verified', async (algorithm) => {
    for (const [text, status] of [
      ['hello there', 400],
      ['hello world', 201],
    ] as const) {
      const fields = { 'repr-digest': digest(text, algorithm) }
      const url = await draft9.started(await site(), 'hello', fields)
      const reply = await draft9.append(url, 5, ' world', draft9.end)
      expect([reply.status, reply.headers['upload-complete']]).toEqual([status, '?1'])
    }
  })

  test.each(algorithms)(
    'R-131 a mismatch of %s among several rejects the upload',
    async (differs) => {
      const claims = (differing?: string) =>
        algorithms.map((name) => digest(name === differing ? 'other' : 'hello world', name))
      for (const [field, status] of [
        [claims(differs).join(', '), 400],
        // Each has a header line of its own.
        [claims(differs), 400],
        [claims(), 201],
      ] as const) {
        const at = await site()
        const url = await draft9.started(at, 'hello', { 'repr-digest': field as string[] })
        expect((await draft9.append(url, 5, ' world', draft9.end)).status).toBe(status)
        expect(at.asked).toHaveLength(status === 201 ? 1 : 0)
      }
    },
  )

  test('R-133 unknown algorithms are ignored next to a known one, which is verified', async () => {
    for (const [text, status] of [
      ['hello there', 400],
      ['hello world', 201],
    ] as const) {
      const fields = { 'repr-digest': `crc32c=:AAAAAA==:, ${digest(text)}, foo` }
      const url = await draft9.started(await site(), 'hello', fields)
      expect((await draft9.append(url, 5, ' world', draft9.end)).status).toBe(status)
    }
  })

  test('R-131 the digest of an empty upload is verified', async () => {
    for (const [text, status] of [
      ['x', 400],
      ['', 201],
    ] as const) {
      const fields = { ...draft9.end, 'repr-digest': digest(text) }
      const reply = await draft9.create(await site(), '', fields)
      expect([reply.status, reply.headers['upload-complete']]).toEqual([status, '?1'])
    }
  })

  test('R-131 the digest covers the content with its coding', async () => {
    const coded = gzipSync('hello world')
    for (const [content, status] of [
      ['hello world', 400],
      [coded, 201],
    ] as const) {
      const fields = { 'content-encoding': 'gzip', 'repr-digest': digest(content) }
      const at = await site()
      const url = await draft9.started(at, coded.subarray(0, 9), fields)
      expect((await draft9.append(url, 9, coded.subarray(9), draft9.end)).status).toBe(status)
    }
  })

  test('R-131 Repr-Digest covers the whole content, and Content-Digest the body of its request', async () => {
    const at = await site()
    const both = { ...right, 'content-digest': digest('hello') }
    const url = await draft9.started(at, 'hello', both)
    const reply = await draft9.append(url, 5, ' world', draft9.end)
    expect([reply.status, reply.headers['upload-complete']]).toEqual([201, '?1'])
    const part = await draft9.started(at, 'hello', { 'repr-digest': digest('hello') })
    expect((await draft9.append(part, 5, ' world', draft9.end)).status).toBe(400)
  })

  test('R-130 R-131 a wrong Content-Digest at the end does not reject the upload', async () => {
    const at = await site()
    const url = await draft9.started(at, 'hello', right)
    const fields = { ...draft9.end, 'content-digest': digest(' world') }
    const torn = await draft9.append(url, 5, ' worlD', fields)
    expect([torn.status, torn.headers['upload-complete']]).toEqual([400, '?0'])
    expect(at.asked).toEqual([])
    expect((await draft9.append(url, 5, ' world', fields)).status).toBe(201)
    expect(await download(url)).toBe('hello world')
  })

  test('R-131 the digest is not verified before the end', async () => {
    const at = await site()
    const url = await draft9.started(at, 'hello world', { ...wrong, 'upload-length': '11' })
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '11', ...draft9.more })
    expect((await draft9.append(url, 11, '', draft9.more)).status).toBe(204)
    expect((await draft9.append(url, 11, '', draft9.end)).status).toBe(400)
  })

  test('R-131 the Repr-Digest of an append is ignored, whatever its value', async () => {
    const at = await site()
    for (const value of [digest('patch document'), 'foo=1', 'sha-256=1', '???', '']) {
      const url = await draft9.started(at, 'hello')
      const fields = { ...draft9.end, 'repr-digest': value }
      const reply = await draft9.append(url, 5, ' world', fields)
      expect([value, reply.status, reply.headers['upload-complete']]).toEqual([value, 201, '?1'])
    }
    const url = await draft9.started(at, 'hello', wrong)
    expect((await draft9.append(url, 5, ' world', { ...draft9.end, ...right })).status).toBe(400)
  })
})

test.each([
  ['only unknown algorithms', 'crc32c=:AAAAAA==:, sha256=:AAAA:', 'unsupported-algorithms'],
  ['a digest of the wrong length', 'sha-256=:AAAA:', 'invalid-values'],
  ['a value of the wrong type', 'md5=1', 'invalid-values'],
  ['an invalid digest next to a valid one', `${right['repr-digest']}, md5=1`, 'invalid-values'],
  ['no Dictionary', '???', undefined],
  ['nothing', '', undefined],
])('R-133 R-134 %s gets 400, and nothing is created', async (_, value, type) => {
  let created = 0
  const site = await serve({ hooks: { postCreate: () => void created++ } })
  for (const version of versions) {
    const draft = draftOf(version)
    for (const says of [draft.end, draft.more]) {
      const reply = await draft.create(site, 'hello', { ...says, 'repr-digest': value })
      expect([reply.status, created, reply.headers.location]).toEqual([400, 0, undefined])
      expect(reply.headers).toMatchObject(draft.more)
      if (type !== undefined) expect(problemIn(reply).type).toBe(digestProblem + type)
    }
  }
})

test('R-131 a Repr-Digest that is announced as a trailer is refused, and nothing is created', async () => {
  let created = 0
  const site = await serve({ hooks: { postCreate: () => void created++ } })
  for (const fields of [{}, right]) {
    const announced = { ...draft9.end, ...chunked, ...fields, trailer: 'Repr-Digest' }
    const reply = await draft9.create(site, 'hello world', announced)
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_UNSUPPORTED_DIGEST'])
  }
  expect(created).toBe(0)
})
