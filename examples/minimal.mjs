import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'

const composer = new StoreComposer().use(
  new FileStore({ directory: './uploads' }),
  new FileInfoStore({ directory: './uploads' }),
)

const server = createUploadServer(createHandler({ basePath: '/files', composer }))

server.listen(process.env.PORT ?? 1080, () => {
  console.log(`Uploads to http://localhost:${server.address().port}/files/`)
})
