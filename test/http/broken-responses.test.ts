import { truncate } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createHandler, type HandlerOptions } from 'tuskit'
import {
  createUpload,
  fileComposer,
  listen,
  memoryComposer,
  patch,
  send,
  serve,
  temporaryDirectory,
} from '../serve.js'
import { keptLog } from '../stages.js'

test('content that is shorter than it should be is cut, not waited for', async () => {
  const directory = await temporaryDirectory()
  // Recorded as finished, so that nobody measures.
  const site = await serve({ composer: fileComposer(directory), hooks: { postFinish() {} } })
  const url = await createUpload(site, { 'upload-length': '10' })
  expect((await patch(url, 0, 'helloworld')).status).toBe(204)
  await truncate(join(directory, url.split('/').at(-1)!), 5)
  const headers = { connection: 'keep-alive' }
  await expect(send({ method: 'GET', url, headers })).rejects.toMatchObject({ code: 'ECONNRESET' })
})

test.each<[string, Partial<HandlerOptions>]>([
  ['plain', {}],
  ['with CORS', { cors: true }],
])('a response that the application has begun already is left alone: %s', async (_, options) => {
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
