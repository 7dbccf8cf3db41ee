import http from 'node:http'
import compression from 'compression'
import express from 'express'
import { expect, onTestFinished, test } from 'vitest'
import { createHandler } from 'tuskit'
import { head, listen, memoryComposer, patch, post, send } from '../support/serve.js'

const text = 'compressible '.repeat(5_000)
const accepts = { 'accept-encoding': 'gzip' }

/**
 * The handler behind `compression()` that compresses everything, with a text that is uploaded
 * through it.
 */
async function site() {
  const handler = createHandler({ basePath: '/files', composer: memoryComposer() })
  const app = express().use(compression({ threshold: 0 }))
  app.get('/page', (_request, response) => void response.type('text').send(text))
  const server = http.createServer(app.use('/files', handler))
  server.requestTimeout = 0
  const origin = `http://127.0.0.1:${await listen(server)}`
  onTestFinished(() => void server.close())
  const type = `filetype ${Buffer.from('text/plain').toString('base64')}`
  const metadata = { 'upload-length': String(text.length), 'upload-metadata': type }
  const { headers } = await post({ origin }, metadata)
  const url = origin + headers.location
  return { origin, url, get: (more = {}) => send({ method: 'GET', url, headers: more }) }
}

test('compression() in Express does not change downloads and their ranges', async () => {
  const { origin, url, get } = await site()
  await patch(url, 0, text)
  const page = await send({ method: 'GET', url: `${origin}/page`, headers: accepts })
  expect(page.headers['content-encoding']).toBe('gzip')

  const whole = await get(accepts)
  expect(whole.status).toBe(200)
  expect(whole.headers['content-encoding']).toBeUndefined()
  expect(whole.headers['content-length']).toBe(String(text.length))
  expect(whole.text).toBe(text)

  const part = await get({ ...accepts, range: 'bytes=13-1299' })
  expect(part.status).toBe(206)
  expect(part.headers['content-encoding']).toBeUndefined()
  expect(part.headers['content-range']).toBe(`bytes 13-1299/${text.length}`)
  expect(part.text).toBe(text.slice(13, 1300))
})

test('compression() in Express does not change responses of the protocol', async () => {
  const { url } = await site()
  const first = await patch(url, 0, text.slice(0, 1_000), accepts)
  expect([first.status, first.headers['upload-offset']]).toEqual([204, '1000'])
  const state = await head(url, { ...accepts, 'tus-resumable': '1.0.0' })
  expect(state.status).toBe(200)
  expect(state.headers).toMatchObject({
    'upload-offset': '1000',
    'upload-length': String(text.length),
    'tus-resumable': '1.0.0',
  })
  const conflict = await patch(url, 5, text.slice(5), accepts)
  expect(conflict.status).toBe(409)
  expect(conflict.headers['tus-resumable']).toBe('1.0.0')
  const last = await patch(url, 1_000, text.slice(1_000), accepts)
  expect([last.status, last.headers['upload-offset']]).toEqual([204, String(text.length)])
})
