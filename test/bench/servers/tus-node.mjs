// @tus/server with its files on the disk. Argument, as JSON: `directory`.
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const { directory } = JSON.parse(process.argv[2])
const tus = new Server({ path: '/files', datastore: new FileStore({ directory }) })
const server = tus.listen(0, '127.0.0.1', () => console.log(server.address().port))
