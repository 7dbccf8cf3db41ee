import http, { type Server } from 'node:http'
import { createAdaptorServer, getRequestListener, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { testUploads } from './uploads-suite.js'

for (const basePath of ['/files', '/api/v1/files']) {
  testUploads({
    framework: 'Hono on @hono/node-server',
    basePath,
    mount(handler) {
      const app = new Hono<{ Bindings: HttpBindings }>()
      app.all(`${basePath}/*`, async ({ env }) => {
        await handler(env.incoming, env.outgoing)
        return RESPONSE_ALREADY_SENT
      })
      // Hono responds to HEAD with a copy of the response to GET. A copy made by the server's own
      // Response class loses the mark of RESPONSE_ALREADY_SENT.
      return createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
    },
    notFound: /^404 Not Found$/,
  })
}

testUploads({
  framework: 'Hono next to the handler',
  basePath: '/files',
  mount(handler) {
    const listener = getRequestListener(new Hono().fetch)
    return http.createServer((request, response) =>
      handler(request, response, () => listener(request, response)),
    )
  },
  notFound: /^404 Not Found$/,
})
