// Argument, as JSON: `directory`; `build`, the build of tuskit; `durability` and `fileLocker`, if
// not the default.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const { directory, build, durability = 'os', fileLocker } = JSON.parse(process.argv[2])
const load = (entry) => import(pathToFileURL(join(build, entry)).href)
const { createHandler, createServer, StoreComposer, ...index } = await load('index.js')
// Older builds use another name.
const { createUploadServer = createServer } = index
const { FileInfoStore, FileLocker, FileStore } = await load('file-store.js')

const composer = new StoreComposer()
new FileStore({ directory, durability }).useIn(composer)
new FileInfoStore({ directory, durability }).useIn(composer)
if (fileLocker) new FileLocker({ directory }).useIn(composer)

const server = createUploadServer(createHandler({ basePath: '/files', composer }))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
