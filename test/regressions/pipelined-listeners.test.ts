import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createUpload, serve } from '../support/serve.js'

test('requests that wait behind another one do not all listen to the connection', async () => {
  const site = await serve()
  const { pathname } = new URL(await createUpload(site))
  let served: Socket | undefined
  let most = 0
  site.server.on('connection', (socket) => (served = socket))
  site.server.on('request', () => {
    most = Math.max(most, served!.listenerCount('close'))
  })
  const client = connect(site.port, '127.0.0.1').setEncoding('latin1')
  const request = `HEAD ${pathname} HTTP/1.1\r\nHost: a\r\n\r\n`
  client.write(request)
  await once(client, 'data')
  const alone = served!.listenerCount('close')
  client.write(request.repeat(50))
  let text = ''
  while (text.split('HTTP/1.1 200').length <= 50) text += String(await once(client, 'data'))
  expect(most).toBeLessThanOrEqual(alone + 2)
  expect(served!.listenerCount('close')).toBe(alone)
  client.destroy()
})
