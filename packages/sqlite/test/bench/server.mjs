// A server for small-uploads.mjs. Argument, as JSON: `directory`, `durability`, and `home`, the
// folder of better-sqlite3, if records are to be in SQLite.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { SqliteInfoStore } from '@tuskit/sqlite'

const { directory, durability, home } = JSON.parse(process.argv[2])
const composer = new StoreComposer().use(new FileStore({ directory, durability }))
if (home === undefined) composer.use(new FileInfoStore({ directory, durability }))
else {
  const Database = createRequire(join(home, 'index.js'))('better-sqlite3')
  composer.use(new SqliteInfoStore({ database: new Database(join(directory, '.uploads.db')) }))
}
const server = createUploadServer(createHandler({ basePath: '/files', composer }))
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
