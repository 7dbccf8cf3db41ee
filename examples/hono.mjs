import { serve } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'

const composer = new StoreComposer().use(
  new FileStore({ directory: './uploads' }),
  new FileInfoStore({ directory: './uploads' }),
)

const handler = createHandler({ basePath: '/files', composer })

const app = new Hono()
app.all('/files/*', async ({ env }) => {
  await handler(env.incoming, env.outgoing)
  return RESPONSE_ALREADY_SENT
})
app.get('/', (context) => context.text('Upload something.'))

const server = serve({
  fetch: app.fetch,
  port: Number(process.env.PORT ?? 1080),
  // Otherwise Hono responds to HEAD with a copy, which loses RESPONSE_ALREADY_SENT.
  overrideGlobalObjects: false,
  createServer: (options, listener) => createUploadServer(listener, { ...options, handler }),
})

server.on('listening', () => {
  console.log(`Uploads to http://localhost:${server.address().port}/files/`)
})
process.once('SIGTERM', () => server.stop())
