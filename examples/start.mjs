// @ts-check
import { createHandler, createServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'

const directory = process.env.UPLOADS || './uploads'
const port = Number(process.env.PORT || 1080)

const composer = new StoreComposer().useLocker(new FileLocker({ directory }))
new FileStore({ directory }).useIn(composer)
new FileInfoStore({ directory }).useIn(composer)

const server = createServer(createHandler({ basePath: '/files', composer }))

server.listen(port, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Uploads to http://127.0.0.1:${port}/files/ are kept in ${directory}`)
})

// A second signal ends the process at once.
process.once('SIGINT', () => server.stop())
process.once('SIGTERM', () => server.stop())
