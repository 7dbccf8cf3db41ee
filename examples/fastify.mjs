import fastify from 'fastify'
import { createHandler, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'

const composer = new StoreComposer().use(
  new FileStore({ directory: './uploads' }),
  new FileInfoStore({ directory: './uploads' }),
)

const handler = createHandler({ basePath: '/files', composer })

const app = fastify()

// The handler reads the body itself. In a plugin of their own, only these routes lose the body
// parsers.
app.register(
  async (uploads) => {
    uploads.removeAllContentTypeParsers()
    uploads.addContentTypeParser('*', (request, payload, done) => done(null))
    for (const path of ['/', '/*']) {
      uploads.all(path, (request, reply) => {
        reply.hijack()
        return handler(request.raw, reply.raw)
      })
    }
  },
  { prefix: '/files' },
)

app.get('/', () => 'Upload something.')
app.addHook('preClose', () => handler.close())

await app.listen({ port: process.env.PORT ?? 1080 })
console.log(`Uploads to http://localhost:${app.server.address().port}/files/`)
process.once('SIGTERM', () => app.close())
