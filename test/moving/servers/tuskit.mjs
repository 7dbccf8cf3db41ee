// The program that takes its place. The same arguments.
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'

const [directory, port, hook] = process.argv.slice(2)
const handler = createHandler({
  basePath: '/files',
  composer: new StoreComposer().use(new FileStore({ directory }), new FileInfoStore({ directory })),
  hooks: {
    async preFinish({ upload: { id, length: size } }) {
      await fetch(hook, { method: 'POST', body: JSON.stringify({ id, size }) })
    },
  },
})
const server = createUploadServer(handler)
server.listen(Number(port), '127.0.0.1')
process.once('SIGTERM', () => server.stop())
