// Serves uploads from a directory under /files until SIGTERM, with all features that a runtime
// other than Node may lack. Prints its origin.
import { FileInfoStore, FileLocker, FileStore } from '../.dist/file-store.js'
import { createHandler, createUploadServer, StoreComposer } from '../.dist/index.js'

const [directory] = process.argv.slice(2)
const composer = new StoreComposer().use(
  new FileStore({ directory }),
  new FileInfoStore({ directory }),
  new FileLocker({ directory, lease: 2_000 }),
)
const handler = createHandler({ basePath: '/files', composer, interimResponses: true })
const server = createUploadServer(handler).listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`)
})
process.once('SIGTERM', () => server.stop())
