// Serves uploads under /files from a directory, on a port, until it is killed. Prints `listening`
// when it is ready.
import { createHandler, createUploadServer, StoreComposer } from '../.dist/index.js'
import { FileInfoStore, FileLocker, FileStore } from '../.dist/file-store.js'

const [directory, port] = process.argv.slice(2)
const composer = new StoreComposer().useLocker(new FileLocker({ directory, lease: 2_000 }))
composer.use(new FileStore({ directory }), new FileInfoStore({ directory }))

createUploadServer(createHandler({ basePath: '/files', composer })).listen(
  Number(port),
  '127.0.0.1',
  function () {
    console.log('listening', this.address().port)
  },
)
