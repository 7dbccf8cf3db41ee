// @tus/server with its files on the disk. Arguments: directory, port, URL of a hook.
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const [directory, port, hook] = process.argv.slice(2)
const server = new Server({
  path: '/files',
  datastore: new FileStore({ directory }),
  async onUploadFinish(_request, { id, size }) {
    await fetch(hook, { method: 'POST', body: JSON.stringify({ id, size }) })
    return {}
  },
})
server.listen(Number(port), '127.0.0.1')
