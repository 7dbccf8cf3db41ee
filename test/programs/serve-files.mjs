// Serves the uploads in a directory under /files, together with other processes that do the same.
// The second argument is the lease of its locks. Prints its port.
import { FileInfoStore, FileLocker, FileStore } from '../.dist/file-store.js'
import { createHandler, createUploadServer, StoreComposer } from '../.dist/index.js'

const [directory, lease] = process.argv.slice(2)
const composer = new StoreComposer().use(
  new FileStore({ directory }),
  new FileInfoStore({ directory }),
  new FileLocker({ directory, lease: Number(lease) }),
)
const server = createUploadServer(createHandler({ basePath: '/files', composer }))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
