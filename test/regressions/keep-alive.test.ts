import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { createUpload, memoryComposer, serve, until } from '../support/serve.js'
import { countReceived, keptLog, storeWith } from '../support/stages.js'

test('a connection continues after a refusal during a small body', async () => {
  const composer = memoryComposer()
  const store = storeWith(composer.slots().dataStore!, {
    async append(_upload, _from, body) {
      for await (const _ of body) throw new Error('no disk')
      throw new Error('no body')
    },
  })
  const site = await serve({ composer: composer.useDataStore(store), logger: keptLog() })
  const url = await createUpload(site, { 'upload-length': '65536' })
  const { pathname } = new URL(url)

  const received = countReceived(site)
  const socket = connect(site.port, '127.0.0.1').setEncoding('latin1')
  const lines = ['Host: a', 'Tus-Resumable: 1.0.0', 'Upload-Offset: 0', 'Content-Length: 65536']
  const head = [
    `PATCH ${pathname} HTTP/1.1`,
    ...lines,
    'Content-Type: application/offset+octet-stream',
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\nx`)
  const [first] = await once(socket, 'data')
  expect(first).toMatch(/^HTTP\/1.1 500 /)

  // In two reads: the first fills Node's buffer for a body that is not read.
  socket.write('x'.repeat(32_000))
  await until(received, (bytes) => bytes > 32_000)
  socket.write('x'.repeat(33_535))
  socket.write(`HEAD ${pathname} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  const [second] = await once(socket, 'data')
  expect(second).toMatch(/^HTTP\/1.1 200 /)
  await once(socket, 'close')
})
