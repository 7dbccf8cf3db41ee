import type { HandlerOptions, HookContext } from 'tuskit'
import { describe, expect, test } from 'vitest'
import {
  openRequest,
  type Reply,
  send,
  serve,
  type Site,
  stores,
  until,
} from '../../support/serve.js'
import { silent } from '../../support/silent.js'
import { chunked, defined, draftOf, problemIn, type Version, versions } from './draft.js'
import { noAbort } from '../../support/stages.js'

type Sent = Readonly<Record<string, string | undefined>>

const surviving = [3, 4, 5, 6]
const ending: Version[] = [7, 8, 9, undefined]

function create({ origin }: Site, version: Version, body: string, headers: Sent): Promise<Reply> {
  const all = { ...draftOf(version).named, 'content-length': String(body.length), ...headers }
  return send({ method: 'POST', url: `${origin}/files`, headers: defined(all), body })
}

/** Creates an upload that begins with `hello` and has 11 bytes, unless `headers` differ. */
async function started(
  site: Site,
  version: Version,
  headers: Sent = { 'upload-length': '11' },
): Promise<string> {
  const reply = await create(site, version, 'hello', { ...draftOf(version).more, ...headers })
  expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '5'])
  return new URL(reply.headers.location!, site.origin).href
}

/** Appends at offset 5, unless `headers` differ. */
function append(url: string, version: Version, body: string, headers: Sent): Promise<Reply> {
  const all = {
    ...draftOf(version).named,
    'content-type': 'application/partial-upload',
    'upload-offset': '5',
    'content-length': String(body.length),
    ...headers,
  }
  return send({ method: 'PATCH', url, headers: defined(all), body })
}

function expectInconsistent({ status, headers, text }: Reply, version: Version): void {
  expect(status).toBe(400)
  expect(headers).toMatchObject(draftOf(version).more)
  expect(headers['content-type']).toBe('application/problem+json')
  expect(JSON.parse(text)).toMatchObject({
    type: 'https://iana.org/assignments/http-problem-types#inconsistent-upload-length',
    title: 'Inconsistent Upload Length Values',
    status: 400,
  })
}

/** Asserts that the refused requests changed nothing, and that the rest ends the upload. */
async function expectUntouched(url: string, version: Version): Promise<void> {
  const draft = draftOf(version)
  expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft.more })
  await expectFinishable(url, version)
}

/** Asserts that the rest ends the upload, and that its content is right. */
async function expectFinishable(url: string, version: Version): Promise<void> {
  const draft = draftOf(version)
  const offset = String((await draft.stateOf(url))['upload-offset'])
  const rest = 'hello world'.slice(Number(offset))
  const reply = await append(url, version, rest, { 'upload-offset': offset, ...draft.end })
  expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
  expect((await send({ method: 'GET', url })).text).toBe('hello world')
}

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), logger: silent, ...options })
  }

  test.each(versions)(
    'R-068 an Upload-Length other than the recorded one gets 400, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      for (const [body, headers] of [
        [' wo', { ...draft.more, 'upload-length': '12' }],
        [' wo', { ...draft.more, 'upload-length': '10' }],
        [' wo', { ...draft.more, 'upload-length': '0' }],
        [' world!', { ...draft.end, 'upload-length': '12' }],
        [' world', { ...draft.end, 'upload-length': '12' }],
        [' world', { ...draft.end, 'upload-length': '12', ...chunked }],
        ['', { ...draft.more, 'upload-length': '12' }],
      ] as const) {
        const reply = await append(url, version, body, headers)
        expectInconsistent(reply, version)
        expect(reply.headers['upload-offset']).toBe('5')
      }
      await expectUntouched(url, version)
    },
  )

  test.each(versions)(
    'R-068 an end at another offset than the recorded length gets 400, version %s',
    async (version) => {
      const url = await started(await site(), version)
      for (const body of ['', ' worl', ' world!', ' world and more']) {
        const reply = await append(url, version, body, draftOf(version).end)
        expectInconsistent(reply, version)
        expect(reply.headers['upload-offset']).toBe('5')
      }
      await expectUntouched(url, version)
    },
  )

  test.each(versions)('R-068 the same length may be repeated, version %s', async (version) => {
    const draft = draftOf(version)
    const url = await started(await site(), version)
    const length = { 'upload-length': '11' }
    const first = await append(url, version, ' wo', { ...draft.more, ...length })
    expect(first.headers).toMatchObject({ 'upload-offset': '8', ...draft.more })
    const rest = { 'upload-offset': '8', ...draft.end, ...length }
    const last = await append(url, version, 'rld', rest)
    expect(last.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
  })

  test.each(versions)(
    'R-068 a length that is declared later is recorded and applies from then on, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version, {})
      const first = await append(url, version, ' wo', { ...draft.more, 'upload-length': '11' })
      expect(first.headers).toMatchObject({ 'upload-offset': '8', ...draft.more })
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-length': '11' })
      for (const [body, headers] of [
        ['r', { ...draft.more, 'upload-length': '12' }],
        ['rl', draft.end],
      ] as const) {
        expectInconsistent(
          await append(url, version, body, { 'upload-offset': '8', ...headers }),
          version,
        )
      }
      await expectFinishable(url, version)
    },
  )

  test.each(versions)(
    'R-068 an end of known size declares the length, even if its connection breaks, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site({ takeoverAfter: 60_000 })
      const url = await started(at, version, {})
      const { request, reply } = openRequest({
        method: 'PATCH',
        url,
        headers: {
          ...draft.named,
          ...draft.end,
          'content-type': 'application/partial-upload',
          'upload-offset': '5',
          'content-length': '6',
        },
        body: ' wo',
      })
      const id = url.split('/').at(-1)!
      await until(
        () => at.handler.uploads.inspect(id),
        ({ offset }) => offset === 8,
      )
      request.destroy()
      await expect(reply).rejects.toThrow()
      const expected = { 'upload-offset': '8', 'upload-length': '11', ...draft.more }
      expect(await draft.stateOf(url)).toMatchObject(expected)
      for (const body of ['', 'r', 'rld!']) {
        const headers = { 'upload-offset': '8', ...draft.end }
        expectInconsistent(await append(url, version, body, headers), version)
      }
      await expectFinishable(url, version)
    },
  )

  test.each(versions)(
    'R-068 a length below the stored bytes gets 400, and is not recorded, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version, {})
      for (const length of ['4', '0']) {
        const headers = { ...draft.more, 'upload-length': length }
        expectInconsistent(await append(url, version, '', headers), version)
      }
      expect(await draft.stateOf(url)).not.toHaveProperty('upload-length')
      await expectUntouched(url, version)
    },
  )

  test.each(versions)(
    'R-026 R-068 a request with contradictory lengths gets 400 and changes nothing, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version, {})
      for (const [body, headers] of [
        [' world', { ...draft.end, 'upload-length': '12' }],
        [' world', { ...draft.end, 'upload-length': '10' }],
        ['', { ...draft.end, 'upload-length': '6' }],
        [' world', { ...draft.more, 'upload-length': '10' }],
      ] as const) {
        const reply = await append(url, version, body, headers)
        expectInconsistent(reply, version)
        expect(reply.headers['upload-offset']).toBe('5')
      }
      expect(await draft.stateOf(url)).not.toHaveProperty('upload-length')
      await expectUntouched(url, version)
    },
  )

  test.each(versions)(
    'R-026 a creation with contradictory lengths gets 400 and creates nothing, version %s',
    async (version) => {
      const draft = draftOf(version)
      let made = 0
      const at = await site({ hooks: { postCreate: () => void made++ } })
      for (const [body, headers] of [
        ['hello worl', { ...draft.end, 'upload-length': '11' }],
        ['hello world', { ...draft.end, 'upload-length': '10' }],
        ['', { ...draft.end, 'upload-length': '1' }],
        ['hello world', { ...draft.more, 'upload-length': '10' }],
      ] as const) {
        const reply = await create(at, version, body, headers)
        expectInconsistent(reply, version)
        expect(reply.headers).not.toHaveProperty('location')
      }
      await at.handler.shutdown()
      expect(made).toBe(0)
    },
  )

  test.each(versions)(
    'R-069 excess bytes that the headers show get 400 unread, and the upload continues, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      for (const says of [draft.more, draft.end]) {
        const { request, reply } = openRequest({
          method: 'PATCH',
          url,
          headers: {
            ...draft.named,
            ...says,
            'content-type': 'application/partial-upload',
            'upload-offset': '5',
            'content-length': '7',
          },
        })
        const refused = await reply
        request.destroy()
        expectInconsistent(refused, version)
        expect(refused.headers['upload-offset']).toBe('5')
      }
      await expectUntouched(url, version)
    },
  )

  const overruns = [
    { how: 'in one piece', pieces: [' world!'] },
    { how: 'in pieces', pieces: [' wo', 'rld', '!'] },
    { how: 'at length', pieces: [' world', 'x'.repeat(200_000)] },
  ]

  test.each(ending.flatMap((version) => overruns.map((how) => ({ version, ...how }))))(
    'R-069 excess bytes $how get 400 and remove the upload, version $version',
    async ({ version, pieces }) => {
      const draft = draftOf(version)
      const finished: string[] = []
      const preFinish = ({ event }: HookContext) => void finished.push(event.id)
      const composer = await compose()
      const at = await site({ composer, hooks: { preFinish } })
      for (const says of [draft.more, draft.end]) {
        const url = await started(at, version)
        const record = (await composer.slots().infoStore!.get(url.split('/').at(-1)!, noAbort))!
        const reply = await appendPieces(url, version, says, pieces)
        expectInconsistent(reply, version)
        expect(problemIn(reply).detail).toContain('the upload was removed; create it again')
        expect(reply.headers).not.toHaveProperty('upload-offset')
        for (const method of ['HEAD', 'GET', 'DELETE']) {
          const { status, headers } = await send({ method, url, headers: draft.named })
          expect(status).toBeOneOf([404, 410])
          expect(headers).not.toHaveProperty('upload-offset')
        }
        const again = await append(url, version, ' world', draft.end)
        expect(again.status).toBeOneOf([404, 410])
        expect(again.headers).toMatchObject(draft.more)
        // Its bytes are gone too.
        const { signal } = new AbortController()
        await expect(composer.slots().dataStore!.stat(record, { signal })).rejects.toMatchObject({
          code: 'ERR_DATA_MISSING',
        })
      }
      expect(finished).toEqual([])
    },
  )

  test.each(surviving.flatMap((version) => overruns.map((how) => ({ version, ...how }))))(
    'R-069 excess bytes $how get 400, and the upload continues, version $version',
    async ({ version, pieces }) => {
      const draft = draftOf(version)
      const finished: string[] = []
      const preFinish = ({ event }: HookContext) => void finished.push(event.id)
      const at = await site({ hooks: { preFinish } })
      for (const says of [draft.more, draft.end]) {
        const url = await started(at, version)
        const reply = await appendPieces(url, version, says, pieces)
        expectInconsistent(reply, version)
        expect(reply.headers['upload-offset']).toMatch(/^([5-9]|1[01])$/)
        const expected = { 'upload-offset': reply.headers['upload-offset'], ...draft.more }
        expect(await draft.stateOf(url)).toMatchObject(expected)
        expect(finished).toEqual([])
        await expectFinishable(url, version)
        finished.length = 0
      }
    },
  )

  test.each(ending)(
    'R-069 a byte after all bytes removes the upload too, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      const all = await append(url, version, ' world', draft.more)
      expect(all.headers).toMatchObject({ 'upload-offset': '11', ...draft.more })
      const visible = { 'upload-offset': '11', ...draft.more }
      expectInconsistent(await append(url, version, '!', visible), version)
      expect(await draft.stateOf(url)).toMatchObject(visible)
      expectInconsistent(await append(url, version, '!', { ...visible, ...chunked }), version)
      const { status } = await send({ method: 'HEAD', url, headers: draft.named })
      expect(status).toBeOneOf([404, 410])
    },
  )

  test.each(ending)(
    'R-069 a creation with more bytes than its Upload-Length removes its upload, version %s',
    async (version) => {
      const draft = draftOf(version)
      const ids: string[] = []
      const at = await site({ hooks: { postCreate: ({ upload }) => void ids.push(upload.id) } })
      for (const says of [draft.more, draft.end]) {
        const headers = { ...says, ...chunked, 'upload-length': '5' }
        expectInconsistent(await create(at, version, 'hello world', headers), version)
      }
      await until(
        async () => ids.length,
        (length) => length === 2,
      )
      for (const id of ids) {
        const url = `${at.origin}/files/${id}`
        const { status, headers } = await send({ method: 'HEAD', url, headers: draft.named })
        expect(status).toBeOneOf([404, 410])
        expect(headers).not.toHaveProperty('upload-offset')
      }
    },
  )

  test.each(versions)(
    'R-069 while the length is unknown, the limit ends the request but not the upload, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site({ maxSize: 11 }), version, {})
      for (const framing of [{}, chunked]) {
        const { status, headers } = await append(url, version, ' world!', {
          ...draft.more,
          ...framing,
        })
        expect(status).toBe(413)
        expect(headers).toMatchObject({ 'upload-limit': 'max-size=11', ...draft.more })
      }
      await expectFinishable(url, version)
    },
  )

  test.each(versions)(
    'R-070 an end that comes too early gets 400, and its bytes are kept, version %s',
    async (version) => {
      const draft = draftOf(version)
      const finished: string[] = []
      const preFinish = ({ event }: HookContext) => void finished.push(event.id)
      const url = await started(await site({ hooks: { preFinish } }), version)
      const reply = await append(url, version, ' wo', { ...draft.end, ...chunked })
      expectInconsistent(reply, version)
      expect(reply.headers['upload-offset']).toBe('8')
      const expected = { 'upload-offset': '8', 'upload-length': '11', ...draft.more }
      expect(await draft.stateOf(url)).toMatchObject(expected)
      const empty = { 'upload-offset': '8', ...draft.end, ...chunked }
      expectInconsistent(await append(url, version, '', empty), version)
      expect(await draft.stateOf(url)).toMatchObject(expected)
      expect(finished).toEqual([])
      await expectFinishable(url, version)
      expect(finished.length).toBe(1)
    },
  )

  test.each(versions)(
    'R-070 a creation that ends too early is not complete, and can continue, version %s',
    async (version) => {
      const ids: string[] = []
      const at = await site({ hooks: { postCreate: ({ upload }) => void ids.push(upload.id) } })
      const headers = { ...draftOf(version).end, ...chunked, 'upload-length': '11' }
      const reply = await create(at, version, 'hello', headers)
      expectInconsistent(reply, version)
      expect(reply.headers['upload-offset']).toBe('5')
      await until(
        async () => ids.length,
        (length) => length === 1,
      )
      await expectUntouched(`${at.origin}/files/${ids[0]}`, version)
    },
  )

  test.each(versions)(
    'R-070 an end sets the length while it is unknown, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version, {})
      const reply = await append(url, version, ' world', { ...draft.end, ...chunked })
      expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-length': '11', ...draft.end })
    },
  )
})

/** Sends a chunked append in pieces, each when the previous one has been sent. */
async function appendPieces(
  url: string,
  version: Version,
  says: Record<string, string>,
  pieces: readonly string[],
): Promise<Reply> {
  const { request, reply } = openRequest({
    method: 'PATCH',
    url,
    headers: {
      ...draftOf(version).named,
      ...says,
      'content-type': 'application/partial-upload',
      'upload-offset': '5',
      'transfer-encoding': 'chunked',
    },
  })
  for (const piece of pieces) await new Promise((resolve) => request.write(piece, resolve))
  request.end()
  return reply
}
