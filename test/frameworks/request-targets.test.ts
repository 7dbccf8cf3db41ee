import http from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import express from 'express'
import fastify from 'fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHandler, type Handler } from 'tuskit'
import { listen, memoryComposer } from '../support/serve.js'

const mountings: Readonly<Record<string, (handler: Handler) => http.RequestListener>> = {
  'http.createServer(handler)': (handler) => handler,
  'Express 5, app.use(path, handler)': (handler) => express().use('/files', handler),
  'Express 5, app.use(handler)': (handler) => express().use(handler),
}

describe.each(Object.entries(mountings))('%s', (_, mount) => {
  test('the absolute form stands for its path, and its host does not appear in Location', async () => {
    const send = await start(mount)
    const created = await send('POST', 'http://elsewhere.example/files')
    expect(created).toMatch(/^HTTP\/1.1 201 /)
    expect(created).toMatch(/^location: \/files\/[\w-]+\r$/im)
    expect(created).not.toContain('elsewhere')
  })

  test.each(['//elsewhere.example/files', '//files', '/files//elsewhere.example', '/%66iles', '*'])(
    'POST %s creates nothing',
    async (target) => {
      const send = await start(mount)
      const reply = await send('POST', target)
      expect(reply).toMatch(/^HTTP\/1.1 404 /)
      expect(reply).not.toMatch(/^location:/im)
      expect(await send('POST', '/files')).toMatch(/^HTTP\/1.1 201 /)
    },
  )

  test.each(['*', '//elsewhere.example/files', 'http://elsewhere.example', '/files/../../etc'])(
    'OPTIONS %s gets a response',
    async (target) => {
      const send = await start(mount)
      expect(await send('OPTIONS', target)).toMatch(/^HTTP\/1.1 [24]\d\d /)
      expect(await send('OPTIONS', '/files')).toMatch(/^HTTP\/1.1 200 /)
    },
  )

  test.each([
    '/files/%00',
    '/files/%E0%A4%A',
    '/files/..%2f..%2fetc',
    '/files/%2e%2e',
    '/files/..',
  ])('GET %s is 404', async (target) => {
    const send = await start(mount)
    expect(await send('GET', target)).toMatch(/^HTTP\/1.1 404 /)
  })
})

test('Fastify 5: `OPTIONS *` and the absolute form do no harm', async () => {
  const app = fastify()
  const handler = createHandler({ basePath: '/files', composer: memoryComposer() })
  for (const path of ['/files', '/files/*']) {
    app.all(path, async (request, reply) => {
      reply.hijack()
      await handler(request.raw, reply.raw)
    })
  }
  await app.ready()
  const send = await startServer(app.server)
  for (const target of ['*', '//elsewhere.example/files', 'http://elsewhere.example/files']) {
    expect(await send('OPTIONS', target)).toMatch(/^HTTP\/1.1 [24]\d\d /)
  }
})

type Send = (method: string, target: string) => Promise<string>

function start(mount: (handler: Handler) => http.RequestListener): Promise<Send> {
  const handler = createHandler({ basePath: '/files', composer: memoryComposer() })
  return startServer(http.createServer({ requestTimeout: 0 }, mount(handler)))
}

/** Clients of Node do not send such targets, so the request is written by hand. */
async function startServer(server: http.Server): Promise<Send> {
  const port = await listen(server)
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return (method, target) => {
    const socket = connect(port, '127.0.0.1')
    const head = [
      `${method} ${target} HTTP/1.1`,
      'Host: here.example',
      'Tus-Resumable: 1.0.0',
      'Upload-Length: 3',
      'Content-Length: 0',
      'Connection: close',
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    return text(socket)
  }
}
