import type { AccessContext, HandlerOptions, HookContext } from 'tuskit'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { send, serve, type Site, stores } from '../../support/serve.js'
import { silent } from '../../support/silent.js'
import { chunked, draft9, draftOf, type Version, versions } from './draft.js'

const untyped = [3, 4, 5]
const typed: Version[] = [6, 7, 8, 9, undefined]
const old = [3, 4, 5, 6]
const recent: Version[] = [7, 8, 9, undefined]

const hour = 3_600_000

afterEach(() => void vi.useRealTimers())

/** Creates an upload of 11 bytes with the first 5, and returns its URL. */
async function started({ origin }: Site, version: Version): Promise<string> {
  const draft = draftOf(version)
  const headers = { ...draft.named, ...draft.completes(false), 'upload-length': '11' }
  const url = `${origin}/files`
  const reply = await send({ method: 'POST', url, headers, body: 'hello' })
  expect([reply.status, reply.headers['upload-offset']]).toEqual([201, '5'])
  return new URL(reply.headers.location!, origin).href
}

async function expectUntouched(url: string, version: Version): Promise<void> {
  const draft = draftOf(version)
  expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft.more })
  const reply = await draft.append(url, 5, ' world', draft.end)
  expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
  expect((await send({ method: 'GET', url })).text).toBe('hello world')
}

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), logger: silent, ...options })
  }

  test.each(versions)(
    'R-060 R-064 appends continue at the offset until the one that is the end, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      const first = await draft.append(url, 5, ' wo', draft.more)
      expect(first.status).toBe((version ?? 9) <= 6 ? 201 : 204)
      expect(first.headers).toMatchObject({ 'upload-offset': '8', ...draft.more })
      expect(first.text).toBe('')
      const second = await draft.append(url, 8, 'r', { ...draft.more, ...chunked })
      expect(second.status).toBe(first.status)
      expect(second.headers).toMatchObject({ 'upload-offset': '9', ...draft.more })
      expect(await draft.stateOf(url)).toMatchObject(draft.more)
      const last = await draft.append(url, 9, 'ld', { ...draft.end, ...chunked })
      expect(last.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
    },
  )

  test.each(versions)(
    'R-064 the last bytes are stored like others until a request declares the end, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      const { status, headers } = await draft.append(url, 5, ' world', draft.more)
      expect(status).toBe((version ?? 9) <= 6 ? 201 : 204)
      expect(headers).toMatchObject({ 'upload-offset': '11', ...draft.more })
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '11', ...draft.more })
    },
  )

  test.each(typed)(
    'R-061 another media type, or none, gets 415 with Accept-Patch and stores nothing, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      for (const type of [undefined, 'text/plain', 'application/octet-stream', 'partial-upload']) {
        const headers = { ...draft.end, 'content-type': type }
        const reply = await draft.append(url, 5, ' world', headers)
        expect([type, reply.status]).toEqual([type, 415])
        expect(reply.headers).toMatchObject({
          'accept-patch': 'application/partial-upload',
          ...draft.more,
        })
      }
      await expectUntouched(url, version)
    },
  )

  test.each(untyped)('R-061 no media type is needed in version %i', async (version) => {
    const draft = draftOf(version)
    const at = await site()
    for (const type of [undefined, 'application/octet-stream', 'application/partial-upload']) {
      const url = await started(at, version)
      const headers = { ...draft.end, 'content-type': type }
      const { headers: returned } = await draft.append(url, 5, ' world', headers)
      expect(returned).toMatchObject({ 'upload-offset': '11', ...draft.end })
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
    }
  })

  test.each(recent)(
    'R-062 an append without a valid Upload-Complete gets 400 and stores nothing, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      const values = [undefined, '1', 'true', '?2', '"?1"', '', ['?1', '?0'], ['?1', '?1']]
      for (const value of values) {
        const { status, headers } = await draft.append(url, 5, ' world', {
          'upload-complete': value,
        })
        expect([value, status]).toEqual([value, 400])
        expect(headers['upload-complete']).toBe('?0')
      }
      const empty = await draft.append(url, 5, '')
      expect(empty.status).toBe(400)
      await expectUntouched(url, version)
    },
  )

  test.each(old)(
    'R-062 an append without a valid Upload-Complete is the end, version %i',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const name = version === 3 ? 'upload-incomplete' : 'upload-complete'
      const chunked = { 'content-length': undefined, 'transfer-encoding': 'chunked' }
      for (const headers of [{}, { [name]: '1' }, chunked]) {
        const url = await started(at, version)
        const { status, headers: returned } = await draft.append(url, 5, ' world', headers)
        expect(status).toBe(201)
        expect(returned).toMatchObject({ 'upload-offset': '11', ...draft.end })
        expect(await draft.stateOf(url)).toMatchObject(draft.end)
      }
    },
  )

  test.each(old)(
    'R-062 an empty append without Upload-Complete after all bytes is the end too, version %i',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      await draft.append(url, 5, ' world', draft.more)
      expect(await draft.stateOf(url)).toMatchObject(draft.more)
      const { status, headers } = await draft.append(url, 11, '')
      expect(status).toBe(201)
      expect(headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
    },
  )

  test.each(old)(
    'R-062 an append without Upload-Complete is not the end while bytes are missing, version %i',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      const chunked = { 'content-length': undefined, 'transfer-encoding': 'chunked' }
      const { status, headers } = await draft.append(url, 5, ' wor', chunked)
      expect(status).toBe(400)
      expect(headers).toMatchObject({ 'upload-offset': '9', ...draft.more })
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '9', ...draft.more })
      const rest = await draft.append(url, 9, 'ld')
      expect(rest.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      expect((await send({ method: 'GET', url })).text).toBe('hello world')
    },
  )

  test.each(versions)(
    'R-063 another offset gets 409 with the current one and stores nothing, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      for (const says of [draft.end, draft.more]) {
        for (const [offset, body] of [
          [4, 'o world'],
          [0, 'hello world'],
          [6, 'world'],
          [11, ''],
          [999_999_999_999_999, 'x'],
        ] as const) {
          const reply = await draft.append(url, offset, body, says)
          expect([offset, reply.status]).toEqual([offset, 409])
          expect(reply.headers).toMatchObject({ 'upload-offset': '5', ...draft.more })
          expect(reply.headers['content-type']).toBe('application/problem+json')
          expect(JSON.parse(reply.text)).toMatchObject({
            type: 'https://iana.org/assignments/http-problem-types#mismatching-upload-offset',
            title: 'Mismatching Upload Offset',
            status: 409,
            'expected-offset': 5,
            'provided-offset': offset,
          })
        }
      }
      await expectUntouched(url, version)
    },
  )

  test('R-063 the offset of an empty upload is returned too', async () => {
    const { origin } = await site()
    const { headers } = await send({
      method: 'POST',
      url: `${origin}/files`,
      headers: { ...draft9.named, ...draft9.more },
    })
    const url = new URL(headers.location!, origin).href
    const reply = await draft9.append(url, 3, 'lo', draft9.end)
    expect([reply.status, reply.headers['upload-offset']]).toEqual([409, '0'])
  })

  test.each(versions)(
    'R-064 a malformed request gets the offset up to version 6, version %s',
    async (version) => {
      const draft = draftOf(version)
      const url = await started(await site(), version)
      const replies = [
        await draft.append(url, 5, '!', { ...draft.more, 'upload-offset': 'x' }),
        await draft.append(url, 5, '!', { ...draft.more, 'content-digest': 'sha-256=1' }),
        ...((version ?? 9) < 6
          ? []
          : [await draft.append(url, 5, '!', { ...draft.more, 'content-type': 'text/x' })]),
        ...((version ?? 9) > 6 ? [] : [await draft.ask('HEAD', url, { 'upload-offset': '5' })]),
      ]
      const statuses = replies.map(({ status }) => status)
      for (const status of statuses) expect(status).toBeOneOf([400, 415])
      const offsets = replies.map(({ headers }) => headers['upload-offset'])
      const isOld = (version ?? 9) <= 6
      // The check of the digest comes when the offset is known anyway.
      expect(offsets).toEqual(offsets.map((_, index) => (isOld || index === 1 ? '5' : undefined)))
    },
  )

  test('R-063 a request with another offset does not record its length', async () => {
    const { origin } = await site()
    const { headers } = await send({
      method: 'POST',
      url: `${origin}/files`,
      headers: { ...draft9.named, ...draft9.more },
      body: 'hello',
    })
    const url = new URL(headers.location!, origin).href
    const wrong = await draft9.append(url, 3, 'lo', { ...draft9.more, 'upload-length': '5' })
    expect(wrong.status).toBe(409)
    expect(await draft9.stateOf(url)).not.toHaveProperty('upload-length')
    const reply = await draft9.append(url, 5, ' world', draft9.end)
    expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft9.end })
  })

  test('R-072 a client that loses access cannot finish an upload that it began', async () => {
    let may = true
    const finished: string[] = []
    const access = ({ action }: AccessContext) => ({ reject: action === 'append' && !may })
    const preFinish = ({ event }: HookContext) => void finished.push(event.id)
    const url = await started(await site({ hooks: { access, preFinish } }), 9)
    may = false
    const full = await draft9.append(url, 5, ' world', draft9.end)
    expect([full.status, full.headers['upload-complete']]).toEqual([403, '?0'])
    may = true
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft9.more })
    expect((await draft9.append(url, 5, ' world', draft9.more)).status).toBe(204)
    may = false
    const empty = await draft9.append(url, 11, '', draft9.end)
    expect([empty.status, empty.headers['upload-complete']]).toEqual([403, '?0'])
    expect(finished).toEqual([])
    may = true
    expect((await draft9.append(url, 11, '', draft9.end)).headers['upload-complete']).toBe('?1')
    expect(finished.length).toBe(1)
  })

  test('R-072 pre-finish is called when all bytes are stored, before the upload is complete', async () => {
    const composer = await compose()
    const asked: unknown[] = []
    const at = await site({
      composer,
      hooks: {
        async preFinish({ upload, request }) {
          const { offset } = await composer
            .slots()
            .dataStore!.stat(upload, { signal: new AbortController().signal })
          asked.push([offset, upload.state.kind, request?.headers.authorization])
          return { reject: { status: 403, body: 'Over your quota' } }
        },
      },
    })
    const url = await started(at, 9)
    const headers = { ...draft9.end, authorization: 'Bearer 7' }
    const { status, headers: returned, text } = await draft9.append(url, 5, ' world', headers)
    expect([status, returned['upload-complete'], text]).toEqual([403, '?1', 'Over your quota'])
    expect(asked).toEqual([[11, 'open', 'Bearer 7']])
    expect((await send({ method: 'GET', url })).status).toBe(403)
  })
})

test.each([
  'APPLICATION/Partial-Upload',
  'application/partial-upload;charset=utf-8',
  'application/partial-upload ; x=1',
])('R-061 the media type %s is recognised', async (type) => {
  const url = await started(await serve(), 9)
  const reply = await draft9.append(url, 5, ' world', { ...draft9.end, 'content-type': type })
  expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft9.end })
})

test('R-060 parameters of Upload-Offset and Upload-Complete are ignored', async () => {
  const url = await started(await serve(), 9)
  const headers = { 'upload-offset': '5;a', 'upload-complete': '?1;x=2' }
  const reply = await draft9.append(url, 5, ' world', headers)
  expect(reply.headers).toMatchObject({ 'upload-offset': '11', ...draft9.end })
})

test.each(versions)(
  'R-066 an empty append that is not the end changes nothing, version %s',
  async (version) => {
    const draft = draftOf(version)
    const url = await started(await serve(), version)
    for (let round = 0; round < 3; round++) {
      const { status, headers } = await draft.append(url, 5, '', draft.more)
      expect(status).toBe((version ?? 9) <= 6 ? 201 : 204)
      expect(headers).toMatchObject({ 'upload-offset': '5', ...draft.more })
    }
    await expectUntouched(url, version)
  },
)

test.each([
  ['without a body', { 'content-length': '0' }],
  ['with an empty chunked body', { 'content-length': undefined, 'transfer-encoding': 'chunked' }],
])('R-066 empty appends, %s, do not postpone the expiry', async (_, framing) => {
  const site = await serve({ expiration: { after: hour } })
  const url = await started(site, 9)
  const start = Date.now()
  for (const minutes of [35, 45, 55]) {
    vi.setSystemTime(start + minutes * 60_000)
    expect((await draft9.append(url, 5, '', { ...draft9.more, ...framing })).status).toBe(204)
  }
  vi.setSystemTime(start + hour + 1_000)
  expect((await draft9.append(url, 5, '', { ...draft9.more, ...framing })).status).toBe(410)
})
