import type { HandlerOptions } from 'tuskit'
import { describe, expect, test } from 'vitest'
import { download, openRequest, serve, stores } from '../../support/serve.js'
import { algorithms, base64Of, digest, digestProblem } from './digest-fields.js'
import { chunked, draft9, draftOf, problemIn, urlIn, versions } from './draft.js'

const framings = [
  { framing: 'sized', fields: {} },
  { framing: 'chunked', fields: chunked },
]

describe.each(stores)('a Content-Digest ($store store)', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}) {
    const finished: string[] = []
    const hooks = {
      preFinish: ({ upload }: { upload: { id: string } }) => void finished.push(upload.id),
    }
    return { ...(await serve({ composer: await compose(), hooks, ...options })), finished }
  }

  test.each(versions)(
    'R-130 an append whose digest differs gets 400, and nothing counts, version %s',
    async (version) => {
      const draft = draftOf(version)
      for (const { fields } of framings) {
        const at = await site()
        const url = await draft.started(at, 'hello')
        for (const says of [draft.end, draft.more]) {
          const sent = { ...says, ...fields, 'content-digest': digest(' world') }
          const wrong = await draft.append(url, 5, ' worlD', sent)
          expect([wrong.status, wrong.headers['upload-offset']]).toEqual([400, '5'])
          expect(wrong.headers).toMatchObject(draft.more)
          const state = await draft.stateOf(url)
          expect(state).toMatchObject({ 'upload-offset': '5', ...draft.more })
        }
        expect(at.finished).toEqual([])
        const sent = { ...draft.end, ...fields, 'content-digest': digest(' world') }
        const right = await draft.append(url, 5, ' world', sent)
        expect([right.status, right.headers['upload-offset']]).toEqual([201, '11'])
        expect(right.headers).toMatchObject(draft.end)
        expect(at.finished).toHaveLength(1)
        expect(await download(url)).toBe('hello world')
      }
    },
  )

  test.each(versions)(
    'R-130 a creation whose digest differs gets 400 and leaves the upload at 0, version %s',
    async (version) => {
      const draft = draftOf(version)
      for (const { fields } of framings) {
        for (const says of [draft.end, draft.more]) {
          const at = await site()
          const sent = { ...says, ...fields, 'content-digest': digest('hello') }
          const wrong = await draft.create(at, 'hellO', sent)
          expect([wrong.status, wrong.headers['upload-offset']]).toEqual([400, '0'])
          expect(wrong.headers).toMatchObject(draft.more)
          const url = urlIn(wrong, at)
          const state = await draft.stateOf(url)
          expect(state).toMatchObject({ 'upload-offset': '0', ...draft.more })
          expect(at.finished).toEqual([])
          const ended = { ...draft.end, ...fields, 'content-digest': digest('hello') }
          expect((await draft.append(url, 0, 'hello', ended)).headers).toMatchObject({
            'upload-offset': '5',
            ...draft.end,
          })
          expect(at.finished).toHaveLength(1)
          expect(await download(url)).toBe('hello')
        }
      }
    },
  )

  test.each(versions)(
    'R-130 a creation whose digest matches is stored, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      for (const { fields } of framings) {
        const sent = { ...fields, 'content-digest': digest('hello') }
        const whole = await draft.create(at, 'hello', { ...draft.end, ...sent })
        expect(whole.status).toBe(201)
        expect(whole.headers).toMatchObject({ 'upload-offset': '5', ...draft.end })
        const url = await draft.started(at, 'hello', sent)
        expect(await draft.stateOf(url)).toMatchObject({
          'upload-offset': '5',
          ...draft.more,
        })
      }
    },
  )

  test.each(algorithms)('R-130 R-133 %s is verified', async (algorithm) => {
    const url = await draft9.started(await site(), 'hello')
    const sent = { ...draft9.end, 'content-digest': digest(' world', algorithm) }
    const wrong = await draft9.append(url, 5, ' worlD', sent)
    expect([wrong.status, wrong.headers['upload-offset']]).toEqual([400, '5'])
    expect(problemIn(wrong)).toMatchObject({
      type: `${digestProblem}mismatched-values`,
      mismatched_digests: [{ algorithm, header: 'Content-Digest' }],
    })
    // The response does not reveal the right digest.
    expect(wrong.text).not.toContain(base64Of(' worlD', algorithm))
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft9.more })
    expect((await draft9.append(url, 5, ' world', sent)).status).toBe(201)
    expect(await download(url)).toBe('hello world')
  })

  test.each(algorithms)(
    'R-130 R-133 nothing counts when %s of several differs',
    async (differs) => {
      const url = await draft9.started(await site(), 'hello')
      const claims = (wrong?: string) =>
        algorithms.map((name) => digest(name === wrong ? ' worlD' : ' world', name))
      for (const field of [
        claims(differs),
        claims(differs).join(', '),
        claims(differs).toReversed(),
      ]) {
        const wrong = await draft9.append(url, 5, ' world', {
          ...draft9.end,
          'content-digest': field,
        })
        expect([wrong.status, wrong.headers['upload-offset']]).toEqual([400, '5'])
        expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft9.more })
      }
      // Each has a header line of its own.
      const sent = { ...draft9.end, 'content-digest': claims() }
      expect((await draft9.append(url, 5, ' world', sent)).status).toBe(201)
      expect(await download(url)).toBe('hello world')
    },
  )

  test('R-130 a digest covers the body of its own request, not earlier bytes', async () => {
    const url = await draft9.started(await site(), 'hello')
    const whole = { ...draft9.end, 'content-digest': digest('hello world') }
    expect((await draft9.append(url, 5, ' world', whole)).status).toBe(400)
    const own = { ...draft9.end, 'content-digest': digest(' world') }
    expect((await draft9.append(url, 5, ' world', own)).status).toBe(201)
    expect(await download(url)).toBe('hello world')
  })

  test('R-130 a large body whose digest differs is discarded completely', async () => {
    const body = 'x'.repeat(3_000_000)
    const url = await draft9.started(await site(), 'hello')
    for (const { fields } of framings) {
      const sent = { ...draft9.more, ...fields, 'content-digest': digest('') }
      const wrong = await draft9.append(url, 5, body, sent)
      expect([wrong.status, wrong.headers['upload-offset']]).toEqual([400, '5'])
      expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5' })
    }
    const right = { ...draft9.more, 'content-digest': digest(body) }
    expect((await draft9.append(url, 5, body, right)).headers['upload-offset']).toBe('3000005')
    expect((await draft9.append(url, 3_000_005, '!', draft9.end)).status).toBe(201)
    expect((await download(url)) === `hello${body}!`).toBe(true)
  })

  test('R-130 no interim response reports bytes that are not verified', async () => {
    const body = Buffer.alloc(3_000_000, 'x')
    const at = await site({ interimResponses: true, progressInterval: 0.001 })
    for (const [text, status, offset] of [
      ['', 400, '5'],
      [body, 204, '3000005'],
    ] as const) {
      const url = await draft9.started(at, 'hello')
      const sent = { ...draft9.more, 'content-digest': digest(text) }
      const { request, reply } = openRequest({
        ...draft9.appending(url, 5, '', { ...sent, ...chunked }),
      })
      const reported: unknown[] = []
      request.on('information', ({ headers }) => reported.push(headers['upload-offset']))
      for (let from = 0; from < body.length; from += 100_000) {
        const piece = body.subarray(from, from + 100_000)
        await new Promise((resolve) => request.write(piece, resolve))
      }
      expect(reported).not.toContainEqual(expect.stringMatching(/^(?!5$)/))
      request.end()
      const { status: got, headers } = await reply
      expect([got, headers['upload-offset']]).toEqual([status, offset])
      if (status === 400) expect(reported).not.toContainEqual(expect.stringMatching(/^(?!5$)/))
    }
  })

  test('R-130 no byte of a body beyond the length counts, although its digest matches', async () => {
    const url = await draftOf(6).started(await site(), 'hello', { 'upload-length': '11' })
    const sent = { ...draftOf(6).more, ...chunked, 'content-digest': digest(' world!') }
    expect((await draftOf(6).append(url, 5, ' world!', sent)).status).toBe(400)
    expect(await draftOf(6).stateOf(url)).toMatchObject({
      'upload-offset': '5',
      ...draftOf(6).more,
    })
    expect((await draftOf(6).append(url, 5, ' world', draftOf(6).end)).status).toBe(201)
    expect(await download(url)).toBe('hello world')
  })

  const empty = framings.flatMap((framing) => [
    { ...framing, length: 'known', declared: { 'upload-length': '11' } },
    { ...framing, length: 'unknown', declared: {} },
  ])
  test.each(empty)(
    'R-130 an empty append whose digest differs completes nothing, $framing, length $length',
    async ({ fields, declared }) => {
      for (const version of versions) {
        const draft = draftOf(version)
        const at = await site()
        const url = await draft.started(at, 'hello world', declared)
        const sent = { ...draft.end, ...fields }
        const whole = { ...sent, 'content-digest': digest('hello world') }
        const wrong = await draft.append(url, 11, '', whole)
        expect([wrong.status, wrong.headers['upload-offset']]).toEqual([400, '11'])
        expect(wrong.headers).toMatchObject(draft.more)
        expect(await draft.stateOf(url)).toMatchObject(draft.more)
        expect(at.finished).toEqual([])
        const right = await draft.append(url, 11, '', { ...sent, 'content-digest': digest('') })
        expect([right.status, at.finished.length]).toEqual([201, 1])
        expect(right.headers).toMatchObject(draft.end)
      }
    },
  )

  test.each(framings)(
    'R-130 an empty creation whose digest differs completes nothing, $framing',
    async ({ fields }) => {
      for (const version of versions) {
        const draft = draftOf(version)
        const at = await site()
        const sent = { ...draft.end, ...fields, 'content-digest': digest('x') }
        const wrong = await draft.create(at, '', sent)
        expect(wrong.status).toBe(400)
        expect(wrong.headers).toMatchObject(draft.more)
        const state = await draft.stateOf(urlIn(wrong, at))
        expect(state).toMatchObject({ 'upload-offset': '0', ...draft.more })
        expect(at.finished).toEqual([])
      }
    },
  )

  test('R-130 after a refused end, all bytes are not the end until a request declares it', async () => {
    const at = await site()
    const url = await draft9.started(at, 'hello')
    const wrong = { ...draft9.end, 'content-digest': digest('other!') }
    expect((await draft9.append(url, 5, ' world', wrong)).status).toBe(400)
    const reply = await draft9.append(url, 5, ' world', draft9.more)
    expect([reply.status, reply.headers['upload-complete']]).toEqual([204, '?0'])
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '11', ...draft9.more })
    expect(at.finished).toEqual([])
  })
})
