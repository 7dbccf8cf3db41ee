import http from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { createHandler, type Logger } from 'tuskit'
import { listen, memoryComposer, post, send, serve, tus } from '../support/serve.js'
import { keptLog } from '../support/stages.js'

test('a function for origins that throws causes 500', async () => {
  const logger = keptLog()
  const origins = (origin: string) => new URL(origin).hostname === 'example.org'
  const { origin } = await serve({ cors: { origins }, logger })
  const headers = { ...tus, origin: 'null' }
  const reply = await send({ method: 'OPTIONS', url: `${origin}/files`, headers })
  expect(reply.status).toBe(500)
  expect(logger.lines).toHaveLength(1)
})

test('a handler after middleware that has already responded resolves', async () => {
  const logger = keptLog()
  const composer = memoryComposer()
  const handler = createHandler({ basePath: '/files', composer, cors: true, logger })
  const handled: Promise<void>[] = []
  const server = http.createServer((request, response) => {
    response.writeHead(418).end()
    handled.push(handler(request, response))
  })
  server.requestTimeout = 0
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${await listen(server)}/files`
  expect((await send({ method: 'OPTIONS', url })).status).toBe(418)
  await expect(handled[0]).resolves.toBeUndefined()
})

test('a logger that throws does no harm', async () => {
  const fail = () => {
    throw new TypeError('Converting circular structure to JSON')
  }
  const logger: Logger = { error: fail, warn: fail, info: fail, debug: fail }
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  const access = () => {
    throw new Error('no database')
  }
  const site = await serve({ hooks: { access }, logger })
  expect((await post(site, { 'upload-length': '5' })).status).toBe(500)
  expect(await warned).toMatchObject({ code: 'TUSKIT_LOGGER' })
})
