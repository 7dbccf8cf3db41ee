import net from 'node:net'
import { expect, test } from 'vitest'
import { createUpload, download, serve } from '../support/serve.js'

test('pipelined requests run one after the other', async () => {
  const site = await serve()
  const url = await createUpload(site, { 'upload-length': '11' })
  const { pathname } = new URL(url)
  const patch = (offset: number, body: string) =>
    `PATCH ${pathname} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: ${offset}\r\n` +
    `Content-Type: application/offset+octet-stream\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const head = `HEAD ${pathname} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
  const socket = net.connect(site.port, '127.0.0.1')
  socket.write(patch(0, 'hello ') + patch(6, 'world') + head)
  let text = ''
  for await (const piece of socket) text += String(piece)
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 204', 'HTTP/1.1 204', 'HTTP/1.1 200'])
  expect(text.match(/upload-offset: \d+/g)).toEqual([
    'upload-offset: 6',
    'upload-offset: 11',
    'upload-offset: 11',
  ])
  expect(await download(url)).toBe('hello world')
})
