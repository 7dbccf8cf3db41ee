import express from 'express'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'

const composer = new StoreComposer().use(
  new FileStore({ directory: './uploads' }),
  new FileInfoStore({ directory: './uploads' }),
)

// `basePath` is the whole path that clients see, with the prefixes of all routers.
const handler = createHandler({ basePath: '/api/files', composer })

const app = express()
app.use('/api/files', handler)
app.get('/', (request, response) => response.send('Upload something.'))

// Use this instead of app.listen(): its settings suit long uploads, and its `stop` keeps the bytes
// that have arrived.
const server = createUploadServer(app, { handler })

server.listen(process.env.PORT ?? 1080, () => {
  console.log(`Uploads to http://localhost:${server.address().port}/api/files/`)
})
process.once('SIGTERM', () => server.stop())
