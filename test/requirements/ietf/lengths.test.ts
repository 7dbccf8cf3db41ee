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
import { chunked, defined, end, more, named, stateOf, type Version, versions } from './draft.js'
import { calm } from '../../support/stages.js'

type Sent = Readonly<Record<string, string | undefined>>

const surviving = [3, 4, 5, 6]
const ending: Version[] = [7, 8, 9, undefined]

function create({ origin }: Site, version: Version, body: string, headers: Sent): Promise<Reply> {
  const all = { ...named(version), 'content-length': String(body.length), ...headers }
  return send({ method: 'POST', url: `${origin}/files`, headers: defined(all), body })
}

/** The URL of a new upload that begins with `hello`, and has 11 bytes if `headers` do not say otherwise. */
async function started(
  site: Site,
  version: Version,
  headers: Sent = { 'upload-length': '11' },
): Promise<string> {
  const reply = await create(site, version, 'hello', { ...more(version), ...headers })
  expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '5'])
  return new URL(reply.headers.location!, site.origin).href
}

/** An append at 5 unless `headers` say otherwise. */
function append(url: string, version: Version, body: string, headers: Sent): Promise<Reply> {
  const all = {
    ...named(version),
    'content-type': 'application/partial-upload',
    'upload-offset': '5',
    'content-length': String(body.length),
    ...headers,
  }
  return send({ method: 'PATCH', url, headers: defined(all), body })
}

function expectInconsistent({ status, headers, text }: Reply, version: Version): void {
  expect(status).toBe(400)
  expect(headers).toMatchObject(more(version))
  expect(headers['content-type']).toBe('application/problem+json')
  expect(JSON.parse(text)).toMatchObject({
    type: 'https://iana.org/assignments/http-problem-types#inconsistent-upload-length',
    title: 'Inconsistent Upload Length Values',
    status: 400,
  })
}

/** Nothing came of the refused requests: the upload stands at 5, and the rest ends it. */
async function expectUntouched(url: string, version: Version): Promise<void> {
  expect(await stateOf(url, version)).toMatchObject({ 'upload-offset': '5', ...more(version) })
  await expectFinishable(url, version)
}

/** The rest ends the upload, and it has the bytes that it should have. */
async function expectFinishable(url: string, version: Version): Promise<void> {
  const offset = String((await stateOf(url, version))['upload-offset'])
  const rest = 'hello world'.slice(Number(offset))
  const reply = await append(url, version, rest, { 'upload-offset': offset, ...end(version) })
  expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...end(version) })
  expect((await send({ method: 'GET', url })).text).toBe('hello world')
}

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), logger: silent, ...options })
  }

  test.each(versions)(
    'R-068 another Upload-Length than the recorded one: 400, nothing is stored, version %s',
    async (version) => {
      const url = await started(await site(), version)
      for (const [body, headers] of [
        [' wo', { ...more(version), 'upload-length': '12' }],
        [' wo', { ...more(version), 'upload-length': '10' }],
        [' wo', { ...more(version), 'upload-length': '0' }],
        [' world!', { ...end(version), 'upload-length': '12' }],
        [' world', { ...end(version), 'upload-length': '12' }],
        [' world', { ...end(version), 'upload-length': '12', ...chunked }],
        ['', { ...more(version), 'upload-length': '12' }],
      ] as const) {
        const reply = await append(url, version, body, headers)
        expectInconsistent(reply, version)
        expect(reply.headers['upload-offset']).toBe('5')
      }
      await expectUntouched(url, version)
    },
  )

  test.each(versions)(
    'R-068 an end that is not where the recorded length says: 400, nothing is stored, version %s',
    async (version) => {
      const url = await started(await site(), version)
      for (const body of ['', ' worl', ' world!', ' world and more']) {
        const reply = await append(url, version, body, end(version))
        expectInconsistent(reply, version)
        expect(reply.headers['upload-offset']).toBe('5')
      }
      await expectUntouched(url, version)
    },
  )

  test.each(versions)(
    'R-068 the same length may be told again and again, version %s',
    async (version) => {
      const url = await started(await site(), version)
      const length = { 'upload-length': '11' }
      const first = await append(url, version, ' wo', { ...more(version), ...length })
      expect(first.headers).toMatchObject({ 'upload-offset': '8', ...more(version) })
      const rest = { 'upload-offset': '8', ...end(version), ...length }
      const last = await append(url, version, 'rld', rest)
      expect(last.headers).toMatchObject({ 'upload-offset': '11', ...end(version) })
    },
  )

  test.each(versions)(
    'R-068 a length that is told later is recorded, and holds from then on, version %s',
    async (version) => {
      const url = await started(await site(), version, {})
      const first = await append(url, version, ' wo', { ...more(version), 'upload-length': '11' })
      expect(first.headers).toMatchObject({ 'upload-offset': '8', ...more(version) })
      expect(await stateOf(url, version)).toMatchObject({ 'upload-length': '11' })
      for (const [body, headers] of [
        ['r', { ...more(version), 'upload-length': '12' }],
        ['rl', end(version)],
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
    'R-068 an end of known size tells the length, also when it does not come whole, version %s',
    async (version) => {
      const at = await site({ takeoverAfter: 60_000 })
      const url = await started(at, version, {})
      const { request, reply } = openRequest({
        method: 'PATCH',
        url,
        headers: {
          ...named(version),
          ...end(version),
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
      const told = { 'upload-offset': '8', 'upload-length': '11', ...more(version) }
      expect(await stateOf(url, version)).toMatchObject(told)
      for (const body of ['', 'r', 'rld!']) {
        const headers = { 'upload-offset': '8', ...end(version) }
        expectInconsistent(await append(url, version, body, headers), version)
      }
      await expectFinishable(url, version)
    },
  )

  test.each(versions)(
    'R-068 a length below what is stored already: 400, and it is not recorded, version %s',
    async (version) => {
      const url = await started(await site(), version, {})
      for (const length of ['4', '0']) {
        const headers = { ...more(version), 'upload-length': length }
        expectInconsistent(await append(url, version, '', headers), version)
      }
      expect(await stateOf(url, version)).not.toHaveProperty('upload-length')
      await expectUntouched(url, version)
    },
  )

  test.each(versions)(
    'R-026 R-068 a request that contradicts itself: 400, nothing is stored or recorded, version %s',
    async (version) => {
      const url = await started(await site(), version, {})
      for (const [body, headers] of [
        [' world', { ...end(version), 'upload-length': '12' }],
        [' world', { ...end(version), 'upload-length': '10' }],
        ['', { ...end(version), 'upload-length': '6' }],
        [' world', { ...more(version), 'upload-length': '10' }],
      ] as const) {
        const reply = await append(url, version, body, headers)
        expectInconsistent(reply, version)
        expect(reply.headers['upload-offset']).toBe('5')
      }
      expect(await stateOf(url, version)).not.toHaveProperty('upload-length')
      await expectUntouched(url, version)
    },
  )

  test.each(versions)(
    'R-026 a creation whose lengths contradict each other: 400, and there is no upload, version %s',
    async (version) => {
      let made = 0
      const at = await site({ hooks: { postCreate: () => void made++ } })
      for (const [body, headers] of [
        ['hello worl', { ...end(version), 'upload-length': '11' }],
        ['hello world', { ...end(version), 'upload-length': '10' }],
        ['', { ...end(version), 'upload-length': '1' }],
        ['hello world', { ...more(version), 'upload-length': '10' }],
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
    'R-069 an overrun that the headers tell: 400 before the body is read, the upload goes on, version %s',
    async (version) => {
      const url = await started(await site(), version)
      for (const says of [more(version), end(version)]) {
        const { request, reply } = openRequest({
          method: 'PATCH',
          url,
          headers: {
            ...named(version),
            ...says,
            'content-type': 'application/partial-upload',
            'upload-offset': '5',
            'content-length': '7',
          },
        })
        const answered = await reply
        request.destroy()
        expectInconsistent(answered, version)
        expect(answered.headers['upload-offset']).toBe('5')
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
    'R-069 an overrun $how ends the upload: 400, then it is gone, version $version',
    async ({ version, pieces }) => {
      const finished: string[] = []
      const preFinish = ({ event }: HookContext) => void finished.push(event.id)
      const composer = await compose()
      const at = await site({ composer, hooks: { preFinish } })
      for (const says of [more(version), end(version)]) {
        const url = await started(at, version)
        const record = (await composer.slots().infoStore!.get(url.split('/').at(-1)!, calm))!
        const reply = await appendPieces(url, version, says, pieces)
        expectInconsistent(reply, version)
        expect(reply.headers).not.toHaveProperty('upload-offset')
        for (const method of ['HEAD', 'GET', 'DELETE']) {
          const { status, headers } = await send({ method, url, headers: named(version) })
          expect(status).toBeOneOf([404, 410])
          expect(headers).not.toHaveProperty('upload-offset')
        }
        const again = await append(url, version, ' world', end(version))
        expect(again.status).toBeOneOf([404, 410])
        expect(again.headers).toMatchObject(more(version))
        // Its bytes are gone, too.
        const { signal } = new AbortController()
        await expect(composer.slots().dataStore!.stat(record, { signal })).rejects.toMatchObject({
          code: 'ERR_DATA_MISSING',
        })
      }
      expect(finished).toEqual([])
    },
  )

  test.each(surviving.flatMap((version) => overruns.map((how) => ({ version, ...how }))))(
    'R-069 an overrun $how: 400, and the upload goes on, version $version',
    async ({ version, pieces }) => {
      const finished: string[] = []
      const preFinish = ({ event }: HookContext) => void finished.push(event.id)
      const at = await site({ hooks: { preFinish } })
      for (const says of [more(version), end(version)]) {
        const url = await started(at, version)
        const reply = await appendPieces(url, version, says, pieces)
        expectInconsistent(reply, version)
        expect(reply.headers['upload-offset']).toMatch(/^([5-9]|1[01])$/)
        const told = { 'upload-offset': reply.headers['upload-offset'], ...more(version) }
        expect(await stateOf(url, version)).toMatchObject(told)
        expect(finished).toEqual([])
        await expectFinishable(url, version)
        finished.length = 0
      }
    },
  )

  test.each(ending)(
    'R-069 a byte behind all bytes ends the upload, too, version %s',
    async (version) => {
      const url = await started(await site(), version)
      const all = await append(url, version, ' world', more(version))
      expect(all.headers).toMatchObject({ 'upload-offset': '11', ...more(version) })
      const visible = { 'upload-offset': '11', ...more(version) }
      expectInconsistent(await append(url, version, '!', visible), version)
      expect(await stateOf(url, version)).toMatchObject(visible)
      expectInconsistent(await append(url, version, '!', { ...visible, ...chunked }), version)
      const { status } = await send({ method: 'HEAD', url, headers: named(version) })
      expect(status).toBeOneOf([404, 410])
    },
  )

  test.each(ending)(
    'R-069 a creation that brings more than its Upload-Length ends its upload, version %s',
    async (version) => {
      const ids: string[] = []
      const at = await site({ hooks: { postCreate: ({ upload }) => void ids.push(upload.id) } })
      for (const says of [more(version), end(version)]) {
        const headers = { ...says, ...chunked, 'upload-length': '5' }
        expectInconsistent(await create(at, version, 'hello world', headers), version)
      }
      await until(
        async () => ids.length,
        (length) => length === 2,
      )
      for (const id of ids) {
        const url = `${at.origin}/files/${id}`
        const { status, headers } = await send({ method: 'HEAD', url, headers: named(version) })
        expect(status).toBeOneOf([404, 410])
        expect(headers).not.toHaveProperty('upload-offset')
      }
    },
  )

  test.each(versions)(
    'R-069 where no length is known the limit ends the request and not the upload, version %s',
    async (version) => {
      const url = await started(await site({ maxSize: 11 }), version, {})
      for (const framing of [{}, chunked]) {
        const { status, headers } = await append(url, version, ' world!', {
          ...more(version),
          ...framing,
        })
        expect(status).toBe(413)
        expect(headers).toMatchObject({ 'upload-limit': 'max-size=11', ...more(version) })
      }
      await expectFinishable(url, version)
    },
  )

  test.each(versions)(
    'R-070 an end that comes too early: 400, not complete, what came is kept, version %s',
    async (version) => {
      const finished: string[] = []
      const preFinish = ({ event }: HookContext) => void finished.push(event.id)
      const url = await started(await site({ hooks: { preFinish } }), version)
      const reply = await append(url, version, ' wo', { ...end(version), ...chunked })
      expectInconsistent(reply, version)
      expect(reply.headers['upload-offset']).toBe('8')
      const told = { 'upload-offset': '8', 'upload-length': '11', ...more(version) }
      expect(await stateOf(url, version)).toMatchObject(told)
      const empty = { 'upload-offset': '8', ...end(version), ...chunked }
      expectInconsistent(await append(url, version, '', empty), version)
      expect(await stateOf(url, version)).toMatchObject(told)
      expect(finished).toEqual([])
      await expectFinishable(url, version)
      expect(finished.length).toBe(1)
    },
  )

  test.each(versions)(
    'R-070 a creation that ends too early is not complete, and goes on, version %s',
    async (version) => {
      const ids: string[] = []
      const at = await site({ hooks: { postCreate: ({ upload }) => void ids.push(upload.id) } })
      const headers = { ...end(version), ...chunked, 'upload-length': '11' }
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
    'R-070 an end where no length is known is the length, version %s',
    async (version) => {
      const url = await started(await site(), version, {})
      const reply = await append(url, version, ' world', { ...end(version), ...chunked })
      expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...end(version) })
      expect(await stateOf(url, version)).toMatchObject({ 'upload-length': '11', ...end(version) })
    },
  )
})

/** A chunked append of pieces, of which each is sent when the one before has left. */
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
      ...named(version),
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
