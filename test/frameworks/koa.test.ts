import http from 'node:http'
import Koa from 'koa'
import mount from 'koa-mount'
import { expect, test } from 'vitest'
import { clientOf, testUploads } from './uploads-suite.js'

const notFound = /^Not Found$/

testUploads({
  framework: 'Koa, middleware',
  basePath: '/files',
  mount(handler) {
    const app = quietKoa().use(({ req, res }, next) => handler(req, res, next))
    return http.createServer(app.callback())
  },
  notFound,
})

testUploads({
  framework: 'koa-mount',
  basePath: '/files',
  mount(handler) {
    const app = quietKoa()
    app.use(
      mount('/files', ({ req, res, originalUrl }) =>
        handler(Object.assign(req, { originalUrl }), res),
      ),
    )
    return http.createServer(app.callback())
  },
  notFound,
})

testUploads({
  framework: 'koa-mount, nested applications',
  basePath: '/api/v1/files',
  mount(handler) {
    const inner = quietKoa()
    inner.use(
      mount('/files', ({ req, res, originalUrl }) =>
        handler(Object.assign(req, { originalUrl }), res),
      ),
    )
    return http.createServer(quietKoa().use(mount('/api/v1', inner)).callback())
  },
  notFound,
})

test('Koa: middleware sees the status, and catches the errors of later middleware', async () => {
  const seen: unknown[] = []
  const client = await clientOf({
    framework: 'Koa',
    basePath: '/files',
    mount(handler) {
      const app = quietKoa()
      app.use(async (context, next) => {
        await next().catch((error: unknown) => seen.push(error))
        seen.push(context.status)
      })
      app.use(({ req, res }, next) => handler(req, res, next))
      app.use(() => {
        throw new Error('of the application')
      })
      return http.createServer(app.callback())
    },
    notFound,
  })
  await client.create('/files', { 'upload-length': 0 })
  await client.send('GET', '/other', {})
  expect(seen).toEqual([201, new Error('of the application'), 404])
})

/** Koa logs every broken connection to the console. */
function quietKoa(): Koa {
  return Object.assign(new Koa(), { silent: true })
}
