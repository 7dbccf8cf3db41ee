import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import http2, { type ServerHttp2Stream } from 'node:http2'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileComposer, openRequest, send, serve, stores, idOf } from '../../support/serve.js'
import { temporaryDirectory, tus, until, type Site } from '../../support/serve.js'
import { openStream, sendHttp2, serveUploads, transports } from '../../support/serve-http2.js'
import { newGate } from '../../support/stages.js'
import { chunked, draft9, draftOf, problemIn, urlIn, versions } from './draft.js'

test.each(versions)(
  'R-080 R-082 DELETE gets 204; later requests get 404 or 410, version %s',
  async (version) => {
    const draft = draftOf(version)
    const url = await draft.started(await serve(), 'hello')
    expect((await draft.ask('DELETE', url)).status).toBe(204)
    const appended = await draft.append(url, 5, ' world', draft.end)
    const statuses = [
      (await draft.ask('HEAD', url)).status,
      (await draft.ask('DELETE', url)).status,
      appended.status,
    ]
    for (const status of statuses) expect(status).toBeOneOf([404, 410])
    expect(appended.headers).not.toHaveProperty('upload-offset')
  },
)

test('R-080 DELETE removes the data', async () => {
  const site = await serve()
  const url = await draft9.started(site, 'hello')
  await draft9.ask('DELETE', url)
  await expect(site.handler.uploads.inspect(url.split('/').at(-1)!)).rejects.toMatchObject({
    code: 'ERR_UPLOAD_NOT_FOUND',
  })
})

test('R-081 DELETE first ends the append in progress', async () => {
  const site = await serve()
  const url = await draft9.started(site, 'hello')
  const { reply } = openRequest(
    draft9.appending(url, 5, ' world', { ...draft9.end, 'content-length': '100' }),
  )
  const broken = reply.then(
    () => 'responded',
    ({ code }: { code: string }) => code,
  )
  // `inspect` does not take over.
  await until(
    () => site.handler.uploads.inspect(url.split('/').at(-1)!),
    ({ offset }) => offset === 11,
  )
  expect((await draft9.ask('DELETE', url)).status).toBe(204)
  expect(await broken).toBe('ECONNRESET')
})

test('R-082 DELETE of a complete upload removes it, and calls pre-terminate', async () => {
  let asked = 0
  const site = await serve({ hooks: { preTerminate: () => void asked++ } })
  const url = urlIn(await draft9.create(site, 'hello', draft9.end), site)
  expect((await draft9.ask('DELETE', url)).status).toBe(204)
  expect((await send({ method: 'GET', url })).status).toBeOneOf([404, 410])
  expect(asked).toBe(1)
})

/** Returns how a request ended: its status, or the code of the error. */
function outcome(reply: Promise<{ status: number }>): Promise<number | string> {
  return reply.then(
    ({ status }) => status,
    (error: { code: string }) => error.code,
  )
}

/** Records for each DELETE whether the request in progress had ended when the response began. */
function watchOrder({ server }: Pick<Site, 'server'>): boolean[] {
  const endedBefore: boolean[] = []
  let running: IncomingMessage['socket'] | undefined
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== 'DELETE') {
      running = request.socket
      return
    }
    const writeHead = response.writeHead.bind(response) as (...given: unknown[]) => ServerResponse
    response.writeHead = (...given: unknown[]) => {
      endedBefore.push(running!.destroyed)
      return writeHead(...given)
    }
  })
  return endedBefore
}

const creationHook = () => {
  const ids: string[] = []
  const postCreate = ({ upload }: { upload: { id: string } }) => void ids.push(upload.id)
  const created = async () =>
    (
      await until(
        async () => ids,
        ({ length }) => length > 0,
      )
    )[0]!
  return { hooks: { postCreate }, created }
}

/** A body of known size sets the length of the upload. A chunked one leaves it open. */
const framings = (size: number) => [{ 'content-length': String(size) }, chunked]

describe.each(stores)('$store store', ({ compose }) => {
  async function removed(site: Site, id: string): Promise<void> {
    await expect(site.handler.uploads.inspect(id)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_UPLOAD_(NOT_FOUND|GONE)$/) as string,
    })
  }

  test.each(versions)(
    'R-081 the append in progress is reset before the response to DELETE, version %s',
    async (version) => {
      const draft = draftOf(version)
      const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
      const endedBefore = watchOrder(site)
      for (const fields of framings(6)) {
        const url = await draft.started(site, 'hello')
        const said = { ...draft.end, ...fields }
        const { request, reply } = openRequest(draft.appending(url, 5, ' wor', said))
        request.on('error', () => {})
        const ended = outcome(reply)
        await until(
          () => site.handler.uploads.inspect(idOf(url)),
          ({ offset }) => offset === 9,
        )
        const { status, text, headers } = await draft.ask('DELETE', url)
        expect([status, text]).toEqual([204, ''])
        expect(headers).not.toHaveProperty('upload-offset')
        request.write('ld')
        expect(await ended).toBe('ECONNRESET')
        await removed(site, idOf(url))
      }
      expect(endedBefore).toEqual([true, true])
    },
  )

  test.each(versions)(
    'R-081 the creation in progress is reset before the response to DELETE, version %s',
    async (version) => {
      const draft = draftOf(version)
      for (const fields of framings(11)) {
        const { hooks, created } = creationHook()
        const site = await serve({ composer: await compose(), takeoverAfter: 60_000, hooks })
        const endedBefore = watchOrder(site)
        const said = { ...draft.end, ...fields }
        const { request, reply } = openRequest(draft.creation(site, 'hello', said))
        request.on('error', () => {})
        const ended = outcome(reply)
        const id = await created()
        await until(
          () => site.handler.uploads.inspect(id),
          ({ offset }) => offset === 5,
        )
        expect((await draft.ask('DELETE', `${site.origin}/files/${id}`)).status).toBe(204)
        expect(await ended).toBe('ECONNRESET')
        expect(endedBefore).toEqual([true])
        await removed(site, id)
      }
    },
  )

  test('R-082 an upload is gone for every method, and no response reveals its offset or Location', async () => {
    const site = await serve({ composer: await compose() })
    for (const version of versions) {
      const draft = draftOf(version)
      for (const last of [draft.more, draft.end]) {
        const url = urlIn(await draft.create(site, 'hello', last), site)
        expect((await draft.ask('DELETE', url)).status).toBe(204)
        const replies = [
          await draft.ask('HEAD', url),
          await draft.ask('GET', url),
          await send({ method: 'GET', url }),
          await draft.append(url, 5, ' world', draft.end),
          await draft.append(url, 5, '', draft.end),
          await draft.append(url, 0, 'hello', draft.more),
          await draft.ask('DELETE', url),
        ]
        for (const { status, headers } of replies) {
          expect(status).toBeOneOf([404, 410])
          expect(headers).not.toHaveProperty('upload-offset')
          expect(headers).not.toHaveProperty('location')
        }
      }
    }
  })

  test('R-082 a rejected upload can be removed', async () => {
    const hooks = { preFinish: () => ({ reject: { status: 422 } }) }
    const site = await serve({ composer: await compose(), hooks })
    const url = urlIn(await draft9.create(site, 'hello', draft9.end), site)
    expect((await draft9.ask('HEAD', url)).status).toBe(422)
    expect((await draft9.ask('DELETE', url)).status).toBe(204)
    expect((await draft9.ask('HEAD', url)).status).toBeOneOf([404, 410])
  })

  test('R-082 an upload with excess bytes is gone already', async () => {
    const site = await serve({ composer: await compose() })
    const url = await draft9.started(site, 'hello', { 'upload-length': '6' })
    expect((await draft9.append(url, 5, ' world', { ...draft9.end, ...chunked })).status).toBe(400)
    expect((await draft9.ask('DELETE', url)).status).toBe(410)
    expect((await draft9.ask('HEAD', url)).status).toBeOneOf([404, 410])
  })

  test('R-081 R-082 DELETE waits while the upload is being finished, and then removes it', async () => {
    const finishing = newGate()
    const events: string[] = []
    const site = await serve({
      composer: await compose(),
      hooks: {
        preFinish: () => finishing.pass(),
        postFinish: () => void events.push('finished'),
        postTerminate: () => void events.push('terminated'),
      },
    })
    const url = await draft9.started(site, 'hello')
    const last = draft9.append(url, 5, ' world', draft9.end)
    await finishing.reached
    const removal = draft9.ask('DELETE', url)
    finishing.open()
    expect(await last).toMatchObject({ status: 201, headers: { 'upload-complete': '?1' } })
    expect((await removal).status).toBe(204)
    expect((await send({ method: 'GET', url })).status).toBeOneOf([404, 410])
    await until(
      async () => events,
      ({ length }) => length === 2,
    )
    expect(events).toEqual(['finished', 'terminated'])
  })

  test('R-082 of two concurrent DELETEs, one gets 404 or 410', async () => {
    const site = await serve({ composer: await compose() })
    for (let round = 0; round < 10; round++) {
      const url = await draft9.started(site, 'hello')
      const replies = await Promise.all([draft9.ask('DELETE', url), draft9.ask('DELETE', url)])
      const statuses = replies.map(({ status }) => status).sort((a, b) => a - b)
      expect(statuses[0]).toBe(204)
      expect(statuses[1]).toBeOneOf([404, 410])
    }
  })
})

test('R-080 DELETE leaves no file', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory) })
  const urls = [
    await draft9.started(site, 'hello'),
    urlIn(await draft9.create(site, 'x', draft9.end), site),
  ]
  expect((await readdir(directory)).length).toBeGreaterThan(0)
  for (const url of urls) expect((await draft9.ask('DELETE', url)).status).toBe(204)
  await until(
    () => readdir(directory),
    (names) => !names.some((name) => urls.some((url) => name.includes(idOf(url)))),
  )
})

test('R-082 the resource that the application made of a complete upload stays', async () => {
  const directory = await temporaryDirectory()
  const own = join(await temporaryDirectory(), 'own')
  const preFinish = async ({ upload }: { upload: { id: string } }) => {
    await writeFile(own, await readFile(join(directory, upload.id)))
  }
  const site = await serve({ composer: fileComposer(directory), hooks: { preFinish } })
  const url = urlIn(await draft9.create(site, 'hello', draft9.end), site)
  expect((await draft9.ask('DELETE', url)).status).toBe(204)
  expect(await readFile(own, 'utf8')).toBe('hello')
})

test('R-080 no request for an upload is redirected with 301 or 302', async () => {
  const site = await serve()
  const open = await draft9.started(site, 'hello')
  const whole = urlIn(await draft9.create(site, 'hello', draft9.end), site)
  const none = `${site.origin}/files/none`
  for (const url of [open, whole, none]) {
    for (const form of [`${url}/`, `${url}//`, `${url}?x=1`, url.replace('/files', '//files')]) {
      for (const method of ['HEAD', 'GET', 'DELETE'] as const) {
        const { status, headers } = await draft9.ask(method, form)
        expect(status).toBeOneOf([200, 204, 404, 410])
        expect(headers).not.toHaveProperty('location')
      }
    }
  }
})

test('R-080 DELETE needs no version, and a tus DELETE works as well', async () => {
  const site = await serve()
  for (const headers of [{}, draftOf(3).named, draftOf(99).named, tus]) {
    const url = await draft9.started(site, 'hello')
    expect((await send({ method: 'DELETE', url, headers })).status).toBe(204)
    expect((await draft9.ask('HEAD', url)).status).toBeOneOf([404, 410])
  }
})

test('R-080 R-082 DELETE is refused where termination is disabled, and the upload continues', async () => {
  const site = await serve({ disable: ['termination'] })
  const url = await draft9.started(site, 'hello')
  const { request, reply } = openRequest(
    draft9.appending(url, 5, ' wor', { ...draft9.end, 'content-length': '6' }),
  )
  await until(
    () => site.handler.uploads.inspect(idOf(url)),
    ({ offset }) => offset === 9,
  )
  const refused = await draft9.ask('DELETE', url)
  expect([refused.status, problemIn(refused).code]).toEqual([405, 'ERR_METHOD_NOT_ALLOWED'])
  expect(refused.headers.allow).not.toContain('DELETE')
  request.end('ld')
  expect(await reply).toMatchObject({ status: 201, headers: { 'upload-complete': '?1' } })
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-complete': '?1' })
})

describe.each(transports)('over HTTP/2, $transport', ({ secure }) => {
  test.each(['creation', 'append'])(
    'R-081 the stream of the %s is reset before the response to DELETE; others continue',
    async (running) => {
      const { hooks, created } = creationHook()
      const site = await serveUploads({ hooks, takeoverAfter: 60_000 }, secure)
      const { session, handler, server } = site
      const streams: ServerHttp2Stream[] = []
      const endedBefore: boolean[] = []
      server.on('stream', (stream: ServerHttp2Stream, headers) => {
        if (headers[':method'] !== 'DELETE') return void streams.push(stream)
        const running = streams.at(-2)!
        const respond = stream.respond.bind(stream)
        stream.respond = (...given) => {
          endedBefore.push(running.closed)
          respond(...given)
        }
      })
      const head = { ':method': 'POST', ':path': '/files', ...draft9.named }
      if (running === 'append') await sendHttp2(session, { ...head, ...draft9.more }, 'hello')
      const sent =
        running === 'creation'
          ? { ...head, ...draft9.end }
          : {
              ':method': 'PATCH',
              ':path': `/files/${await created()}`,
              'content-type': 'application/partial-upload',
              'upload-offset': '5',
              ...draft9.named,
              ...draft9.end,
            }
      const old = openStream(session, sent)
      old.stream.on('error', () => {})
      old.reply.catch(() => {})
      old.stream.write(running === 'creation' ? 'hello wor' : ' wor')
      const id = await created()
      await until(
        () => handler.uploads.inspect(id),
        ({ offset }) => offset === 9,
      )
      // This request uses the same connection.
      const other = openStream(session, { ...head, ...draft9.end })
      const removal = { ':method': 'DELETE', ':path': `/files/${id}`, ...draft9.named }
      const reset = once(old.stream, 'close')
      expect((await sendHttp2(session, removal)).status).toBe(204)
      await reset
      expect([old.stream.rstCode, endedBefore]).toEqual([http2.constants.NGHTTP2_CANCEL, [true]])
      other.stream.end('x')
      expect((await other.reply).status).toBe(201)
    },
  )
})
