import { once } from 'node:events'
import http from 'node:http'
import { describe, expect, test } from 'vitest'
import { createUploadServer } from 'tuskit'
import {
  createUpload,
  listen,
  memoryComposer,
  openPatch,
  patch,
  serve,
  type Site,
  until,
} from '../support/serve.js'
import { newGate, media, offsetOf, slowStore, storeWith } from '../support/stages.js'

describe.each(media)('with %s', (_, compose) => {
  test('a running PATCH ends, keeps what arrived, and reports its offset', async () => {
    const composer = await compose()
    const site = await serve({ composer, idleTimeout: 60_000 })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    const stopped = site.server.stop()
    const { status, headers } = await reply
    expect([status, headers['upload-offset'], headers['connection']]).toEqual([503, '5', 'close'])
    expect(headers['retry-after']).toBeDefined()
    await stopped
    expect(site.server.listening).toBe(false)
    const next = await serve({ composer })
    expect(await offsetOf(url.replace(site.origin, next.origin))).toBe(5)
  })
})

test('a PATCH that has not reached its body yet ends, too', async () => {
  const composer = memoryComposer()
  const store = composer.slots().dataStore!
  const slow = newGate()
  composer.useDataStore(
    storeWith(store, {
      async stat(upload, options) {
        await slow.pass()
        return store.stat(upload, options)
      },
    }),
  )
  const site = await serve({ composer, idleTimeout: 60_000 })
  const url = await createUpload(site, { 'upload-length': '10' })
  const { reply } = openPatch(url, 0, { 'content-length': '10' })
  await slow.reached
  const stopped = site.server.stop()
  slow.open()
  expect((await reply).status).toBe(503)
  await stopped
})

test('a PATCH that waits for the lock ends, too', async () => {
  const composer = memoryComposer()
  const slow = newGate()
  composer.useDataStore(slowStore(composer.slots().dataStore!, slow.pass))
  const site = await serve({ composer, idleTimeout: 60_000 })
  const url = await createUpload(site, { 'upload-length': '10' })
  const first = openPatch(url, 0, { 'content-length': '10' })
  first.request.write('hello')
  await slow.reached
  const second = openPatch(url, 5, { 'content-length': '5' })
  await expect(first.reply).rejects.toMatchObject({ code: 'ECONNRESET' })
  const stopped = site.server.stop()
  slow.open()
  const { status, headers } = await second.reply
  expect([status, headers['upload-offset']]).toEqual([503, '5'])
  await stopped
})

test('a request on an open connection is refused with 503 while the server stops', async () => {
  const composer = memoryComposer()
  const slow = newGate()
  composer.useDataStore(slowStore(composer.slots().dataStore!, slow.pass))
  const site = await serve({ composer })
  const url = await createUpload(site, { 'upload-length': '5' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '5' })
  request.end('hello')
  await slow.reached
  const shutdown = site.handler.shutdown()
  await expect(createUpload(site)).rejects.toThrow('503')
  slow.open()
  expect((await reply).status).toBe(204)
  await shutdown
})

test('a server whose store hangs closes in limited time', async () => {
  const composer = memoryComposer()
  const slow = newGate()
  composer.useDataStore(slowStore(composer.slots().dataStore!, slow.pass))
  const site = await serve({ composer })
  const url = await createUpload(site, { 'upload-length': '5' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '5' })
  request.end('hello')
  await slow.reached
  const cut = expect(reply).rejects.toThrow()
  await site.server.stop({ timeout: 50 })
  await cut
  slow.open()
})

test.each([
  ['server.stop', (site: Site, options: object) => site.server.stop(options)],
  ['handler.shutdown', (site: Site, options: object) => site.handler.shutdown(options)],
])('%s rejects for a wrong option, and stops nothing', async (name, end) => {
  const site = await serve()
  const url = await createUpload(site, { 'upload-length': '5' })
  await expect(end(site, { timout: 1 })).rejects.toThrow(
    new TypeError(`${name}: there is no option 'timout'; did you mean 'timeout'?`),
  )
  for (const timeout of ['x', -1, Infinity]) {
    await expect(end(site, { timeout })).rejects.toThrow(
      `${name}: option 'timeout' must be a number of milliseconds, at least 0 and at most`,
    )
  }
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  await end(site, { timeout: 0 })
})

test('server.stop can be the listener of a signal, which passes its name', async () => {
  const { server } = await serve()
  process.once('SIGUSR2', server.stop)
  const closed = once(server, 'close')
  process.kill(process.pid, 'SIGUSR2')
  await closed
  expect(server.listening).toBe(false)
})

test('idle connections and silent clients do not keep the server open', async () => {
  const site = await serve()
  const agent = new http.Agent({ keepAlive: true })
  const request = http.get(`${site.origin}/files/nothing`, { agent })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  response.resume()
  await once(response, 'end')
  await site.server.stop()
  expect(site.server.listening).toBe(false)
  agent.destroy()
})

test('an application that the handler is mounted in passes the handler', async () => {
  const site = await serve()
  const app: http.RequestListener = (request, response) => void site.handler(request, response)
  const server = createUploadServer(app, { handler: site.handler })
  const port = await listen(server)
  const url = await createUpload({ origin: `http://127.0.0.1:${port}` }, { 'upload-length': '10' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  await until(
    () => offsetOf(url),
    (offset) => offset === 5,
  )
  await Promise.all([server.stop(), expect(reply).resolves.toMatchObject({ status: 503 })])
})

test('a server that never listened stops', async () => {
  const { handler } = await serve()
  await createUploadServer(handler).stop()
})
