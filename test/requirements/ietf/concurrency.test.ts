import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FileInfoStore } from 'tuskit/file-store'
import {
  download,
  memoryComposer,
  openRequest,
  send,
  serve,
  stores,
  idOf,
  untilStored,
} from '../../support/serve.js'
import { temporaryDirectory, until, type Reply, type Sent, type Site } from '../../support/serve.js'
import { openStream, sendHttp2, serveUploads, transports } from '../../support/serve-http2.js'
import { startServer, type ServerOptions } from '../../support/server-process.js'
import { noAbort, keptLog, newGate, slowStore, storeWith } from '../../support/stages.js'
import { chunked, draft9, draftOf, problemIn, urlIn, type Version, versions } from './draft.js'

/** Starts an append that sends 6 bytes and then hangs. */
async function hanging(site: Site, url: string) {
  const sent = draft9.appending(url, 5, ' world', { ...draft9.end, 'content-length': '100' })
  const { request, reply } = openRequest(sent)
  await untilStored(site, url, 11)
  return {
    request,
    broken: reply.then(
      () => false,
      () => true,
    ),
  }
}

describe('R-101 a new request ends the append in progress and keeps its bytes', () => {
  test.each(['HEAD', 'GET'] as const)(
    'R-100 R-101 %s ends the append and reports the offset for the next one',
    async (method) => {
      const site = await serve()
      const url = await draft9.started(site, 'hello')
      const { broken } = await hanging(site, url)
      const reply = await draft9.ask(method, url)
      expect([reply.status, reply.headers['upload-offset'], await broken]).toEqual([
        204,
        '11',
        true,
      ])
      // The offset is good for the next append.
      expect((await draft9.append(url, 11, '!', draft9.more)).status).toBe(204)
    },
  )

  test('R-100 R-101 PATCH ends the append and continues from its bytes', async () => {
    const site = await serve()
    const url = await draft9.started(site, 'hello')
    const { broken } = await hanging(site, url)
    const reply = await draft9.append(url, 11, '!', draft9.more)
    expect([reply.status, reply.headers['upload-offset'], await broken]).toEqual([204, '12', true])
  })
})

test('R-100 concurrent appends do not mix', async () => {
  const url = await draft9.started(await serve(), 'hello')
  const replies = await Promise.all(
    ['a', 'b', 'c', 'd'].map((letter) => draft9.append(url, 5, letter.repeat(6), draft9.more)),
  )
  const won = replies.flatMap(({ status }, index) => (status === 204 ? [index] : []))
  expect(won).toHaveLength(1)
  await draft9.append(url, 11, '', draft9.end)
  expect(await download(url)).toBe(`hello${'abcd'[won[0]!]!.repeat(6)}`)
})

test('R-102 no request waits for a client that is silent', async () => {
  const site = await serve({ idleTimeout: 60_000, lockTimeout: 60_000 })
  const url = await draft9.started(site, 'hello')
  const { broken } = await hanging(site, url)
  expect(await draft9.stateOf(url)).toMatchObject({
    'upload-offset': '11',
    'upload-complete': '?0',
  })
  expect(await broken).toBe(true)
})

test('R-103 HEAD ends the creation in progress too', async () => {
  const site = await serve({ interimResponses: true })
  const sent = draft9.creation(site, 'hello', { ...draft9.end, 'content-length': '100' })
  const { request, reply } = openRequest(sent)
  const broken = reply.then(
    () => false,
    () => true,
  )
  const location = await new Promise<string>((resolve) => {
    request.on('information', ({ headers }) => resolve(String(headers.location)))
  })
  const url = new URL(location, site.origin).href
  await untilStored(site, url, 5)
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?0' })
  expect(await broken).toBe(true)
})

test('R-104 bytes that arrive on the old connection afterwards are dropped', async () => {
  const site = await serve()
  const url = await draft9.started(site, 'hello')
  const { request, broken } = await hanging(site, url)
  request.on('error', () => {})
  await draft9.stateOf(url)
  request.write('more')
  expect(await broken).toBe(true)
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '11' })
})

/** Returns the outcome of a request: its status, or the error of its connection. */
function outcome(reply: Promise<{ status: number }>): Promise<number | string> {
  return reply.then(
    ({ status }) => status,
    (error: { code: string }) => error.code,
  )
}

/** The ways to take over from a request and continue its upload. */
const takers: readonly {
  readonly by: string
  readonly take: (url: string, version: Version, offset: number) => Promise<Reply>
}[] = [
  { by: 'HEAD', take: (url, version) => draftOf(version).ask('HEAD', url) },
  { by: 'GET', take: (url, version) => draftOf(version).ask('GET', url) },
  {
    by: 'PATCH',
    take: (url, version, offset) => draftOf(version).append(url, offset, '', draftOf(version).more),
  },
]

/** A body of known size sets the length of the upload. A chunked one leaves it open. */
const framings = (size: number) => [{ 'content-length': String(size) }, chunked]

describe.each(stores)('$store store', ({ compose }) => {
  const takeovers = takers.flatMap((taker) => versions.map((version) => ({ version, ...taker })))

  test.each(takeovers)(
    'R-100 R-101 $by resets the append in progress and keeps its bytes, version $version',
    async ({ take, version }) => {
      const draft = draftOf(version)
      const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
      for (const fields of framings(6)) {
        const url = await draft.started(site, 'hello')
        const running = openRequest(draft.appending(url, 5, ' wor', { ...draft.end, ...fields }))
        const ended = outcome(running.reply)
        await untilStored(site, url, 9)
        const reply = await take(url, version, 9)
        expect(reply.status).toBeOneOf([204, 201])
        expect(reply.headers).toMatchObject({ 'upload-offset': '9', ...draft.more })
        expect(await ended).toBe('ECONNRESET')
        const last = await draft.append(url, 9, 'ld', draft.end)
        expect(last.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
        expect(await download(url)).toBe('hello world')
      }
    },
  )

  test.each(takeovers)(
    'R-101 R-103 $by ends the creation in progress and keeps its bytes, version $version',
    async ({ take, version }) => {
      const draft = draftOf(version)
      const ids: string[] = []
      const hooks = {
        postCreate: ({ upload }: { upload: { id: string } }) => void ids.push(upload.id),
      }
      const site = await serve({ composer: await compose(), takeoverAfter: 60_000, hooks })
      for (const fields of framings(11)) {
        const said = { ...draft.end, ...fields }
        const running = openRequest(draft.creation(site, 'hello', said))
        const ended = outcome(running.reply)
        const id = (
          await until(
            async () => ids.splice(0),
            ({ length }) => length > 0,
          )
        )[0]!
        const url = `${site.origin}/files/${id}`
        await untilStored(site, url, 5)
        const reply = await take(url, version, 5)
        expect(reply.status).toBeOneOf([204, 201])
        expect(reply.headers).toMatchObject({ 'upload-offset': '5', ...draft.more })
        expect(await ended).toBe('ECONNRESET')
        const last = await draft.append(url, 5, ' world', draft.end)
        expect(last.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
        expect(await download(url)).toBe('hello world')
      }
    },
  )

  test.each(versions)(
    'R-101 an append at an offset below the stored bytes ends nothing, version %s',
    async (version) => {
      const draft = draftOf(version)
      const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
      const url = await draft.started(site, 'hello')
      const fields = { ...draft.end, 'content-length': '6' }
      const running = openRequest(draft.appending(url, 5, ' wor', fields))
      await untilStored(site, url, 9)
      for (const offset of [0, 5, 8]) {
        const outdated = await draft.append(url, offset, 'x', draft.more)
        expect(outdated.status).toBe(409)
        expect(outdated.headers).toMatchObject({ 'upload-offset': '9', ...draft.more })
      }
      running.request.end('ld')
      expect((await running.reply).headers).toMatchObject(draft.end)
      expect(await download(url)).toBe('hello world')
    },
  )

  test('R-054 R-100 the offset that HEAD reports is good, whatever request it ended', async () => {
    const site = await serve({ composer: await compose() })
    const data = randomBytes(300_000)
    const url = await draft9.started(site, '')
    let offset = 0
    for (let round = 0; offset < data.length; round++) {
      const piece = data.subarray(offset, offset + 20_000)
      const running = openRequest(
        draft9.appending(url, offset, piece, { ...draft9.more, 'content-length': '1000000' }),
      )
      const ended = outcome(running.reply)
      // In some rounds HEAD arrives before all bytes have.
      if (round % 2 === 0) await untilStored(site, url, offset + piece.length)
      const reported = Number((await draft9.stateOf(url))['upload-offset'])
      expect(reported).toBeGreaterThanOrEqual(offset)
      expect(reported).toBeLessThanOrEqual(offset + piece.length)
      if (round % 2 === 0) expect(reported).toBe(offset + piece.length)
      const next = data.subarray(reported, reported + 10_000)
      expect(await draft9.append(url, reported, next, draft9.more)).toMatchObject({
        status: 204,
        headers: { 'upload-offset': String(reported + next.length) },
      })
      // If HEAD comes first, the append is refused for its offset.
      expect(await ended).toBeOneOf(['ECONNRESET', 'EPIPE', 409])
      offset = reported + next.length
    }
    expect((await draft9.append(url, offset, '', draft9.end)).headers['upload-complete']).toBe('?1')
    const content = await send({ method: 'GET', url })
    expect(content.body.equals(data)).toBe(true)
  })

  test('R-100 appends during a cancellation leave nothing', async () => {
    const composer = await compose()
    const site = await serve({ composer, logger: keptLog() })
    for (let round = 0; round < 10; round++) {
      const url = await draft9.started(site, 'hello')
      const upload = (await composer.slots().infoStore!.get(idOf(url), noAbort))!
      const appends = ['a', 'b', 'c'].map((letter) =>
        outcome(draft9.append(url, 5, letter.repeat(10_000), draft9.more)),
      )
      const removed = await draft9.ask('DELETE', url)
      expect(removed.status).toBe(204)
      for (const result of await Promise.all(appends)) {
        expect(result).toBeOneOf([204, 404, 409, 410, 'ECONNRESET', 'EPIPE'])
      }
      expect((await draft9.ask('HEAD', url)).status).toBeOneOf([404, 410])
      const { signal } = new AbortController()
      await expect(composer.slots().dataStore!.stat(upload, { signal })).rejects.toMatchObject({
        code: 'ERR_DATA_MISSING',
      })
    }
  })

  test('R-100 R-104 HEAD waits for the bytes that the store is writing, and counts them', async () => {
    const composer = await compose()
    const slow = newGate()
    let armed = false
    composer.useDataStore(
      slowStore(composer.slots().dataStore!, () => (armed ? slow.pass() : Promise.resolve())),
    )
    const site = await serve({ composer })
    const url = await draft9.started(site, 'hello')
    armed = true
    const running = openRequest(draft9.appending(url, 5, ' wor', { ...draft9.end, ...chunked }))
    running.request.on('error', () => {})
    const ended = outcome(running.reply)
    await slow.reached
    let responded = false
    const asked = draft9.ask('HEAD', url).finally(() => (responded = true))
    // The reset comes at once, though the response has to wait.
    expect(await ended).toBe('ECONNRESET')
    running.request.write('LATE')
    expect(responded).toBe(false)
    slow.open()
    expect((await asked).headers).toMatchObject({ 'upload-offset': '9', 'upload-complete': '?0' })
    expect(await draft9.append(url, 9, 'ld', draft9.end)).toMatchObject({ status: 201 })
    expect(await download(url)).toBe('hello world')
  })

  test('R-104 a store that resumes after its lock is lost writes nothing more', async () => {
    const composer = await compose()
    const late = newGate()
    let armed = false
    const inner = composer.slots().dataStore!
    composer.useDataStore(
      storeWith(inner, {
        async append(upload, from, body, options) {
          if (!armed) return inner.append(upload, from, body, options)
          armed = false
          await late.pass()
          return inner.append(upload, from, body, options)
        },
      }),
    )
    const site = await serve({ composer, lockTimeout: 60_000 })
    const url = await draft9.started(site, 'hello')
    armed = true
    const old = outcome(draft9.append(url, 5, ' OLD', draft9.more))
    await late.reached
    const asked = draft9.ask('HEAD', url)
    expect(await old).toBe('ECONNRESET')
    late.open()
    // Bytes that the old request sent before its end may count, but none after the response.
    const reported = Number((await asked).headers['upload-offset'])
    expect(reported).toBeOneOf([5, 9])
    expect((await draft9.append(url, reported, '!', draft9.end)).status).toBe(201)
    expect(await download(url)).toBe(reported === 5 ? 'hello!' : 'hello OLD!')
  })

  test('R-103 HEAD waits while the upload is still being created', async () => {
    const composer = await compose()
    const making = newGate()
    const inner = composer.slots().dataStore!
    let id = ''
    composer.useDataStore(
      storeWith(inner, {
        async create(upload, options) {
          id = upload.id
          await making.pass()
          return inner.create(upload, options)
        },
      }),
    )
    const site = await serve({ composer })
    const running = openRequest(
      draft9.creation(site, 'hello', { ...draft9.end, 'content-length': '11' }),
    )
    const ended = outcome(running.reply)
    await making.reached
    const url = `${site.origin}/files/${id}`
    const asked = draft9.ask('HEAD', url)
    await once(site.server, 'request')
    making.open()
    const { status, headers } = await asked
    expect([status, headers['upload-complete']]).toEqual([204, '?0'])
    expect(await ended).toBe('ECONNRESET')
    const offset = Number(headers['upload-offset'])
    const last = await draft9.append(url, offset, 'hello world'.slice(offset), draft9.end)
    expect(last.headers).toMatchObject({ 'upload-offset': '11', 'upload-complete': '?1' })
    expect(await download(url)).toBe('hello world')
  })

  test('R-101 a takeover keeps the length that the append declared, but not its end', async () => {
    // The request declared its size and the end, but the client gave it up.
    const finished: string[] = []
    const hooks = {
      preFinish: ({ event }: { event: { id: string } }) => void finished.push(event.id),
    }
    const site = await serve({ composer: await compose(), hooks })
    const url = await draft9.started(site, 'hello')
    const running = openRequest(
      draft9.appending(url, 5, ' wor', { ...draft9.end, 'content-length': '6' }),
    )
    const ended = outcome(running.reply)
    await untilStored(site, url, 9)
    expect(await draft9.stateOf(url)).toMatchObject({
      'upload-length': '11',
      'upload-complete': '?0',
    })
    expect(await ended).toBe('ECONNRESET')
    expect((await draft9.append(url, 9, 'ld', draft9.more)).headers['upload-complete']).toBe('?0')
    expect(finished).toEqual([])
    expect((await draft9.append(url, 11, '', draft9.end)).headers['upload-complete']).toBe('?1')
    expect(finished).toEqual([`${idOf(url)}/pre-finish`])
  })
})

test('R-101 concurrent HEADs of a complete upload neither end each other nor wait', async () => {
  const site = await serve()
  const url = urlIn(await draft9.create(site, 'hello', draft9.end), site)
  const replies = await Promise.all(Array.from({ length: 20 }, () => draft9.ask('HEAD', url)))
  for (const { status, headers } of replies) {
    expect([status, headers['upload-complete']]).toEqual([204, '?1'])
  }
})

test('R-100 R-101 HEAD waits for the result while the upload is being finished', async () => {
  const finishing = newGate()
  const site = await serve({ hooks: { preFinish: () => finishing.pass() } })
  const url = await draft9.started(site, 'hello')
  const last = draft9.append(url, 5, ' world', draft9.end)
  await finishing.reached
  const asked = draft9.ask('HEAD', url)
  await once(site.server, 'request')
  finishing.open()
  expect((await asked).headers).toMatchObject({ 'upload-offset': '11', 'upload-complete': '?1' })
  expect((await last).status).toBe(201)
})

test('R-100 R-102 requests get 503 after lockTimeout, without an offset, while the store hangs', async () => {
  const composer = memoryComposer()
  const hanging = newGate()
  let armed = false
  composer.useDataStore(
    slowStore(composer.slots().dataStore!, () => (armed ? hanging.pass() : Promise.resolve())),
  )
  const site = await serve({ composer, lockTimeout: 20, logger: keptLog() })
  const url = await draft9.started(site, 'hello')
  armed = true
  const old = outcome(draft9.append(url, 5, ' world', draft9.more))
  await hanging.reached
  const replies = [
    await draft9.append(url, 5, 'other', draft9.more),
    await draft9.ask('GET', url),
    await draft9.ask('DELETE', url),
  ]
  for (const reply of replies) {
    expect(reply.status).toBe(503)
    expect(problemIn(reply)).toMatchObject({ code: 'ERR_UPLOAD_LOCKED' })
    expect(reply.headers).toMatchObject({ 'retry-after': '1', 'upload-complete': '?0' })
    expect(reply.headers).not.toHaveProperty('upload-offset')
  }
  hanging.open()
  // The body arrived whole, or the request was ended before its response.
  expect(await old).toBeOneOf([204, 'ECONNRESET'])
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '11' })
})

test('R-100 concurrent appends of several versions do not mix', async () => {
  const site = await serve()
  for (let round = 0; round < 10; round++) {
    const url = await draft9.started(site, 'hello')
    const speakers = versions.map((version, index) => ({ version, letter: 'abcdefgh'[index]! }))
    const results = await Promise.all(
      speakers.map(({ version, letter }) =>
        outcome(draftOf(version).append(url, 5, letter.repeat(50_000), draftOf(version).more)),
      ),
    )
    const offset = Number((await draft9.stateOf(url))['upload-offset'])
    await draft9.append(url, offset, '', draft9.end)
    const rest = (await download(url)).slice(5)
    // One append wins. One that was ended may have left its first bytes.
    expect(new Set(rest).size).toBeLessThanOrEqual(1)
    const won = speakers.filter((_, index) => [201, 204].includes(Number(results[index])))
    expect(won.length).toBeLessThanOrEqual(1)
    for (const { letter } of won) expect(rest).toBe(letter.repeat(50_000))
    for (const result of results) {
      expect(result).toBeOneOf([201, 204, 409, 'ECONNRESET', 'EPIPE'])
    }
  }
})

describe.each(transports)('over HTTP/2, $transport', ({ secure }) => {
  const patchHead = (path: string, offset: number, fields: object) => ({
    ':method': 'PATCH',
    ':path': path,
    'content-type': 'application/partial-upload',
    'upload-offset': String(offset),
    ...draft9.named,
    ...fields,
  })

  async function setUp() {
    const ids: string[] = []
    const hooks = {
      postCreate: ({ upload }: { upload: { id: string } }) => void ids.push(upload.id),
    }
    const site = await serveUploads({ hooks, takeoverAfter: 60_000 }, secure)
    const stored = (id: string, offset: number) =>
      until(
        () => site.handler.uploads.inspect(id),
        (found) => found.offset === offset,
      )
    const created = async () =>
      (
        await until(
          async () => ids,
          ({ length }) => length > 0,
        )
      )[0]!
    return { ...site, stored, created }
  }

  test.each(['HEAD', 'GET'])(
    'R-101 R-103 %s resets the stream of the creation, not the connection',
    async (method) => {
      const { session, stored, created } = await setUp()
      const headers = { ':method': 'POST', ':path': '/files', ...draft9.named, ...draft9.end }
      const { stream, reply } = openStream(session, headers)
      const ended = outcome(reply)
      stream.write('hello')
      const id = await created()
      await stored(id, 5)
      const asked = await sendHttp2(session, {
        ':method': method,
        ':path': `/files/${id}`,
        ...draft9.named,
      })
      expect(asked).toMatchObject({
        status: 204,
        headers: { 'upload-offset': '5', 'upload-complete': '?0' },
      })
      await ended
      expect(stream.rstCode).not.toBe(0)
      expect(session.destroyed).toBe(false)
    },
  )

  test('R-101 R-104 bytes that arrive on the old stream afterwards are dropped', async () => {
    const { session, stored, created } = await setUp()
    const headers = { ':method': 'POST', ':path': '/files', ...draft9.named, ...draft9.more }
    await sendHttp2(session, headers, 'hello')
    const id = await created()
    const path = `/files/${id}`
    const old = openStream(session, patchHead(path, 5, draft9.end))
    old.stream.on('error', () => {})
    old.stream.write(' wor')
    await stored(id, 9)
    // The bytes are sent before the reset can arrive.
    const asked = sendHttp2(session, { ':method': 'HEAD', ':path': path, ...draft9.named })
    old.stream.write('LATE'.repeat(10))
    const { headers: reported } = await asked
    await outcome(old.reply)
    const offset = Number(reported['upload-offset'])
    const again = await sendHttp2(session, { ':method': 'HEAD', ':path': path, ...draft9.named })
    expect(Number(again.headers['upload-offset'])).toBe(offset)
    const last = await sendHttp2(session, patchHead(path, offset, draft9.end), '!')
    expect(last.headers['upload-complete']).toBe('?1')
    const content = await sendHttp2(session, { ':method': 'GET', ':path': path })
    expect(content.text).toBe(`hello wor${'LATE'.repeat(10).slice(0, offset - 9)}!`)
  })
})

describe('two processes that share a FileLocker', () => {
  async function twoServers(options: Partial<ServerOptions> = {}) {
    const directory = await temporaryDirectory()
    const all = { directory, lease: 1_000, idleTimeout: 60_000, takeoverAfter: 60_000, ...options }
    const [one, two] = await Promise.all([startServer(all), startServer(all)])
    const other = (url: string) => url.replace(one.origin, two.origin)
    const fileOf = (url: string) => join(directory, idOf(url))
    /** Reads the file's size, which interrupts no request. The record exists before the file. */
    const untilLength = (url: string, length: number) =>
      until(
        () =>
          stat(fileOf(url)).then(
            ({ size }) => size,
            () => undefined,
          ),
        (found) => found === length,
      )
    /** Waits for a record, and returns the URL of its upload. */
    const anyUrl = async (): Promise<string> => {
      const { signal } = new AbortController()
      for (;;) {
        for await (const id of new FileInfoStore({ directory }).ids({ signal })) {
          return `${one.origin}/files/${id}`
        }
      }
    }
    return { directory, one, two, other, fileOf, untilLength, anyUrl }
  }

  const open = (sent: Sent) => {
    const { request, reply } = openRequest(sent)
    request.on('error', () => {})
    return { request, ended: outcome(reply) }
  }

  test.each(takers)(
    'R-100 R-101 R-104 $by through the other process ends the append, and drops what follows',
    async ({ take }) => {
      const { one, other, untilLength } = await twoServers()
      const url = await draft9.started(one, 'hello')
      const said = { ...draft9.end, 'content-length': '100' }
      const { request, ended } = open(draft9.appending(url, 5, ' wor', said))
      await untilLength(url, 9)
      const reply = await take(other(url), 9, 9)
      expect(reply.headers).toMatchObject({ 'upload-offset': '9', 'upload-complete': '?0' })
      request.write('LATE')
      expect(await ended).toBe('ECONNRESET')
      expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '9' })
      const last = await draft9.append(other(url), 9, 'x'.repeat(96), draft9.end)
      expect(last.headers).toMatchObject({ 'upload-offset': '105', 'upload-complete': '?1' })
      expect(await download(url)).toBe(`hello wor${'x'.repeat(96)}`)
    },
  )

  test('R-103 HEAD through the other process ends the creation in progress', async () => {
    const { one, other, untilLength, anyUrl } = await twoServers()
    const { ended } = open(draft9.creation(one, 'hello', { ...draft9.end, ...chunked }))
    const url = await anyUrl()
    await untilLength(url, 5)
    expect(await draft9.stateOf(other(url))).toMatchObject({
      'upload-offset': '5',
      'upload-complete': '?0',
    })
    expect(await ended).toBe('ECONNRESET')
    expect((await draft9.append(other(url), 5, ' world', draft9.end)).status).toBe(201)
    expect(await download(url)).toBe('hello world')
  })

  test('R-104 a suspended process writes nothing when it continues', async () => {
    const { one, two, other, fileOf, untilLength } = await twoServers({ lockTimeout: 60_000 })
    const url = await draft9.started(one, 'hello')
    const size = 500_000
    const said = { ...draft9.end, 'content-length': String(size) }
    const { request, ended } = open(draft9.appending(url, 5, 'OLD', said))
    await untilLength(url, 8)
    one.child.kill('SIGSTOP')
    request.end(Buffer.alloc(size - 3, 'x'))
    expect(await draft9.stateOf(other(url))).toMatchObject({
      'upload-offset': '8',
      'upload-complete': '?0',
    })
    // The length that the old request declared stays.
    const rest = Buffer.alloc(size - 3, 'n')
    const half = rest.subarray(0, 200_000)
    expect((await draft9.append(other(url), 8, half, draft9.more)).status).toBe(204)
    one.child.kill('SIGCONT')
    expect(await ended).toBeOneOf([503, 'ECONNRESET', 'EPIPE'])
    for (const at of [url, other(url)]) {
      expect(await draft9.stateOf(at)).toMatchObject({ 'upload-offset': '200008' })
    }
    const last = await draft9.append(other(url), 200_008, rest.subarray(200_000), draft9.end)
    expect(last.headers['upload-complete']).toBe('?1')
    const expected = Buffer.concat([Buffer.from('helloOLD'), rest])
    expect((await readFile(fileOf(url))).equals(expected)).toBe(true)
    expect(two.child.exitCode).toBeNull()
  })

  test('R-104 a process suspended right before its write writes nothing when it continues', async () => {
    const directory = await temporaryDirectory()
    const all = { directory, lease: 1_000, idleTimeout: 60_000, lockTimeout: 60_000 }
    const one = await startServer({ ...all, stop: 'before fs.write' })
    const two = await startServer(all)
    const data = randomBytes(100_000)
    const url = await draft9.started(two, data.subarray(0, 50_000))
    const old = draft9.appending(
      url.replace(two.origin, one.origin),
      50_000,
      Buffer.alloc(150_000),
      {
        ...draft9.end,
      },
    )
    const ended = outcome(send(old))
    await one.stopped
    one.child.kill('SIGSTOP')
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '50000' })
    expect((await draft9.append(url, 50_000, data.subarray(50_000), draft9.more)).status).toBe(204)
    one.child.kill('SIGCONT')
    one.resume()
    expect(await ended).toBeOneOf([503, 'ECONNRESET', 'EPIPE'])
    expect(await draft9.stateOf(url)).toMatchObject({
      'upload-offset': '100000',
      'upload-complete': '?0',
    })
    expect((await readFile(join(directory, idOf(url)))).equals(data)).toBe(true)
  })

  test('R-100 clients that compete for one upload through both processes never mix bytes', async () => {
    const { one, other, fileOf } = await twoServers({ lockTimeout: 60_000 })
    const size = 200_000
    const url = await draft9.started(one, '', { 'upload-length': String(size) })
    const sent: { from: number; bytes: Buffer; acknowledged: boolean }[] = []
    const reported: number[][] = [[], []]

    const fight = async (target: string, who: number) => {
      let offset = 0
      for (let round = 0; offset < size; round++) {
        const length = Math.min(size - offset, 10_000)
        const bytes = Buffer.from(`${'ab'[who]}${round};`.repeat(5_000).slice(0, length))
        const attempt = { from: offset, bytes, acknowledged: false }
        sent.push(attempt)
        const reply = await draft9
          .append(target, offset, bytes, draft9.more)
          .catch(({ code }: { code: string }) => code)
        if (typeof reply === 'string') {
          expect(reply).toBeOneOf(['ECONNRESET', 'EPIPE'])
          // HEAD takes over, so the offset that it reports is exact.
          const head = await draft9.ask('HEAD', target)
          expect(head.status).toBe(204)
          offset = Number(head.headers['upload-offset'])
        } else {
          expect(reply.status).toBeOneOf([204, 409])
          attempt.acknowledged = reply.status === 204
          offset = Number(reply.headers['upload-offset'])
        }
        reported[who]!.push(offset)
      }
    }
    await Promise.all([fight(url, 0), fight(other(url), 1)])

    for (const offsets of reported) expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
    const content = await readFile(fileOf(url))
    expect(content.length).toBe(size)
    for (const { from, bytes } of sent.filter(({ acknowledged }) => acknowledged)) {
      expect(content.subarray(from, from + bytes.length).equals(bytes)).toBe(true)
    }
    // Unacknowledged bytes are still the beginning of a body that was sent for that offset.
    const starts = new Set(sent.map(({ from }) => from))
    for (let at = 0; at < size;) {
      const fits = sent
        .filter(({ from }) => from === at)
        .map(({ bytes }) => common(content.subarray(at), bytes))
      const length = Math.max(0, ...fits)
      expect(length).toBeGreaterThan(0)
      const inside = [...starts].filter((from) => from > at && from <= at + length)
      at = inside.length > 0 ? Math.max(...inside) : at + length
    }
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-complete': '?0' })
    expect((await draft9.append(other(url), size, '', draft9.end)).headers['upload-complete']).toBe(
      '?1',
    )
  })
})

/** Returns how many bytes both have in common at the beginning. */
function common(a: Buffer, b: Buffer): number {
  const most = Math.min(a.length, b.length)
  for (let index = 0; index < most; index++) if (a[index] !== b[index]) return index
  return most
}
