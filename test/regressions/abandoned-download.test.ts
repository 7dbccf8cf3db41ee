import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { memoryComposer, openRequest, post, serve } from '../support/serve.js'
import { newGate } from '../support/stages.js'

test('a stream that fails when it is closed does no harm once its client is gone', async () => {
  const composer = memoryComposer()
  const slow = newGate()
  // Like the streams of HTTP clients that are closed early.
  const stream = new Readable({
    read() {},
    destroy: (error, done) => done(error ?? new Error('aborted')),
  })
  composer.useContentReader({
    async read() {
      await slow.pass()
      return stream
    },
  })
  const site = await serve({ composer })
  const { headers } = await post(site, { 'upload-length': '5' }, 'hello')
  const url = `${site.origin}${headers.location}`
  const gone = new Promise<void>((resolve) => {
    site.server.once('connection', (socket) => socket.once('close', () => resolve()))
  })
  const { request } = openRequest({ method: 'GET', url })
  request.end()
  await slow.reached
  request.destroy()
  await gone
  const closed = new Promise<void>((resolve) => stream.once('close', resolve))
  slow.open()
  await closed
  expect(stream.destroyed).toBe(true)
})
