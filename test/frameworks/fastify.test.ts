import fastify, { type FastifyInstance } from 'fastify'
import type { Handler } from 'tuskit'
import { testUploads } from './uploads-suite.js'

for (const basePath of ['/files', '/api/v1/files']) {
  testUploads({
    framework: 'Fastify 5',
    basePath,
    async mount(handler) {
      const app = fastify()
      app.register(uploadRoutes(handler), { prefix: basePath })
      await app.ready()
      return app.server
    },
    notFound: /Route GET:.* not found/,
  })
}

function uploadRoutes(handler: Handler) {
  return async (app: FastifyInstance) => {
    // The bytes belong to the upload, so no parser may read them. Applies to this plugin only.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    for (const path of ['/', '/*']) {
      app.all(path, async (request, reply) => {
        reply.hijack()
        await handler(request.raw, reply.raw)
      })
    }
  }
}
