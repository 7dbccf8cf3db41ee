// Serves uploads named a, b, c … from a directory until its standard input ends, and prints its
// origin. The argument is JSON: `directory` and `locate` of the stores, their `durability`, and
// `hooks` for hooks around finishing.
import { createHandler, createUploadServer, StoreComposer } from '../.dist/index.js'
import { FileInfoStore, FileStore } from '../.dist/file-store.js'

const { directory, locate, durability, hooks } = JSON.parse(process.argv[2])
const composer = new StoreComposer().use(
  new FileStore({ directory, durability, ...(locate && { locate }) }),
  new FileInfoStore({ directory, durability }),
)

let made = 0
const handler = createHandler({
  basePath: '/files',
  composer,
  generateId: () => String.fromCharCode(97 + made++),
  // A traced process is slow, but must not end a writer that waits for its client.
  takeoverAfter: 600_000,
  ...(hooks && { hooks: { preFinish() {}, postFinish() {} } }),
})
const server = createUploadServer(handler).listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`)
})
process.stdin.resume().once('end', async () => {
  await server.stop()
  process.exit()
})
