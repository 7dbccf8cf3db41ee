// Serves uploads under /files from a directory, with a limit for all of them together, until it is
// killed. Sends its origin to its parent.
import { FileInfoStore, FileStore } from '../.dist/file-store.js'
import { createHandler, createUploadServer, StoreComposer } from '../.dist/index.js'
import { LimitedStore } from '../.dist/limited-store.js'

const silent = () => {}
const logger = { error: silent, warn: silent, info: silent, debug: silent }
const [directory, limit] = process.argv.slice(2)
const composer = new StoreComposer()
const store = new FileStore({ directory })
const infoStore = new FileInfoStore({ directory })
new LimitedStore({ limit: Number(limit), store, infoStore }).useIn(composer)
const server = createUploadServer(createHandler({ basePath: '/files', composer, logger }))
server.listen(0, '127.0.0.1', () => process.send(`http://127.0.0.1:${server.address().port}`))
