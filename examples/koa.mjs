import Koa from 'koa'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'

const composer = new StoreComposer().use(
  new FileStore({ directory: './uploads' }),
  new FileInfoStore({ directory: './uploads' }),
)

const handler = createHandler({ basePath: '/files', composer })

const app = new Koa()

// The handler passes requests outside the base path on. koa-mount removes the prefix from the URL,
// so with it, write:
// mount('/files', ({ req, res, originalUrl }) => handler(Object.assign(req, { originalUrl }), res))
app.use(({ req, res }, next) => handler(req, res, next))

app.use((context) => {
  context.body = 'Upload something.'
})

const server = createUploadServer(app.callback(), { handler })

server.listen(process.env.PORT ?? 1080, () => {
  console.log(`Uploads to http://localhost:${server.address().port}/files/`)
})
process.once('SIGTERM', () => server.stop())
