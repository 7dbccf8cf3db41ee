import http from 'node:http'
import express from 'express'
import { expect, test } from 'vitest'
import { clientOf, testUploads } from './uploads-suite.js'

const notFound = /Cannot GET/

testUploads({
  framework: 'Express 5, app.use(path, handler)',
  basePath: '/files',
  mount: (handler) => http.createServer(express().use('/files', handler)),
  notFound,
})

testUploads({
  framework: 'Express 5, app.use(handler)',
  basePath: '/files',
  mount: (handler) => http.createServer(express().use(handler)),
  notFound,
})

testUploads({
  framework: 'Express 5, after express.json() and other parsers',
  basePath: '/files',
  mount(handler) {
    const app = express().use(express.json(), express.text(), express.urlencoded())
    return http.createServer(app.use('/files', handler))
  },
  notFound,
})

testUploads({
  framework: 'Express 5, nested routers',
  basePath: '/api/v1/files',
  mount(handler) {
    const inner = express.Router().use('/files', handler)
    return http.createServer(express().use('/api', express.Router().use('/v1', inner)))
  },
  notFound,
})

test('Express 5: hooks see the request as middleware decorated it', async () => {
  const seen: unknown[] = []
  const client = await clientOf({
    framework: 'Express 5',
    basePath: '/files',
    mount(handler) {
      const app = express().use((request, _response, next) => {
        Object.assign(request, { user: 'ada' })
        next()
      })
      return http.createServer(app.use('/files', handler))
    },
    notFound,
    options: { hooks: { preCreate: ({ request }) => void seen.push(request) } },
  })
  await client.create('/files', { 'upload-length': 0 })
  expect(seen).toEqual([expect.objectContaining({ user: 'ada', originalUrl: '/files' })])
})
