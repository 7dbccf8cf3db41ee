// Serves uploads from a directory under /files, until it is killed. On request it reports what it
// uses: memory after a collection (run with --expose-gc), descriptors, and held locks.
import { readdir, readFile } from 'node:fs/promises'
import { createHandler, createUploadServer, StoreComposer } from '../.dist/index.js'
import { FileInfoStore, FileStore } from '../.dist/file-store.js'
import { MemoryLocker } from '../.dist/memory-store.js'

const [directory] = process.argv.slice(2)
const locker = new MemoryLocker()
let locks = 0
const composer = new StoreComposer().useLocker({
  settle: (id, options) => locker.settle(id, options),
  async acquire(id, options) {
    const lock = await locker.acquire(id, options)
    const release = lock.release.bind(lock)
    locks++
    lock.release = async () => {
      if (lock.held()) locks--
      await release()
    }
    return lock
  },
})
composer.use(new FileStore({ directory }), new FileInfoStore({ directory }))

const logger = {
  error: (message, fields) => process.send({ error: `${message} ${fields?.error?.stack ?? ''}` }),
  warn() {},
  info() {},
  debug() {},
}
const handler = createHandler({ basePath: '/files', composer, logger, maxSize: 2 ** 50 })
const server = createUploadServer(handler).listen(0, '127.0.0.1', () => {
  process.send({ port: server.address().port })
})

process.on('message', async () => {
  global.gc()
  const limits = await readFile('/proc/self/limits', 'utf8')
  const [, limit] = /^Max open files\s+(\d+)/m.exec(limits)
  const descriptors = (await readdir('/proc/self/fd')).length
  const { rss } = process.memoryUsage()
  process.send({ measured: { descriptors, limit: Number(limit), locks, rss } })
})
