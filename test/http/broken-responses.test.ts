import { truncate } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { createHandler, TusError, type HandlerOptions } from 'tuskit'
import {
  createUpload,
  fileComposer,
  listen,
  memoryComposer,
  patch,
  post,
  send,
  serve,
  temporaryDirectory,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

test('content that is shorter than announced is cut, without a wait for the rest', async () => {
  const directory = await temporaryDirectory()
  // The record says that it is finished, so no code asks the store for its offset.
  const logger = keptLog()
  const composer = fileComposer(directory)
  const site = await serve({ composer, hooks: { postFinish() {} }, logger })
  const url = await createUpload(site, { 'upload-length': '10' })
  expect((await patch(url, 0, 'helloworld')).status).toBe(204)
  await truncate(join(directory, url.split('/').at(-1)!), 5)
  const headers = { connection: 'keep-alive' }
  await expect(send({ method: 'GET', url, headers })).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect(logger.lines).toMatchObject([{ level: 'error', message: 'A download failed' }])
})

test('a store that fails during a download is logged, and a client that leaves is not', async () => {
  const logger = keptLog()
  const composer = memoryComposer()
  let content = () => Readable.from([Buffer.alloc(5)])
  composer.useContentReader({ read: async () => content() })
  const site = await serve({ composer, logger })
  const url = await createUpload(site, { 'upload-length': '0' })
  content = () =>
    new Readable({
      read() {
        this.destroy(new Error('EIO'))
      },
    })
  await expect(send({ method: 'GET', url })).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect(logger.lines).toMatchObject([{ message: 'A download failed', fields: { error: {} } }])

  const closed = new Promise((resolve) => {
    content = () => {
      const endless = new Readable({ read: () => endless.push(Buffer.alloc(65_536)) })
      return endless.once('close', resolve)
    }
  })
  const request = http.get(url, (response) => response.once('data', () => request.destroy()))
  request.on('error', () => {})
  await closed
  expect(logger.lines).toHaveLength(1)
})

test('an error of the application with an invalid response becomes 500, which no cache stores', async () => {
  const access = () => {
    const response = { status: 403, headers: { 'x-bad': 'a\r\nb: c' }, body: 'no' }
    throw new TusError('ERR_ACCESS_DENIED', { response })
  }
  const site = await serve({ hooks: { access }, logger: keptLog() })
  const { status, headers } = await post(site, { 'upload-length': '5' })
  expect([status, headers['x-bad'], headers['cache-control']]).toEqual([500, undefined, 'no-store'])
})

test.each<[string, Partial<HandlerOptions>]>([
  ['plain', {}],
  ['with CORS', { cors: true }],
])('a response that the application has started is left alone: %s', async (_, options) => {
  const handler = createHandler({
    basePath: '/files',
    composer: memoryComposer(),
    logger: keptLog(),
    ...options,
  })
  const ends: unknown[] = []
  const server = http.createServer({ requestTimeout: 0 }, (request, response) => {
    response.end('mine')
    handler(request, response).then(
      () => ends.push('resolved'),
      (error: unknown) => ends.push(error),
    )
  })
  const port = await listen(server)
  onTestFinished(() => void server.close())
  for (const method of ['GET', 'POST', 'OPTIONS', 'PATCH']) {
    const reply = await send({ method, url: `http://127.0.0.1:${port}/files` })
    expect(reply.text).toBe('mine')
  }
  await handler.shutdown()
  expect(ends).toEqual(['resolved', 'resolved', 'resolved', 'resolved'])
})
