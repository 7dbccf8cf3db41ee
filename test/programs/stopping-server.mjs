// Serves uploads from a directory that outlives this process. The argument is JSON: the options of
// the handler, and
// - `directory`; `locate`, the place of the data in it; `lease` for a FileLocker;
// - `finisher` for a Finisher that does nothing; `preFinish` for such a hook; `quiet` for no log;
// - `stop`, such as `before infoStore.update`, or `before fs.write` (of many bytes). There the
//   process sends a message to its parent, and continues when the parent permits it.
import fs from 'node:fs'

const { directory, locate, lease, finisher, preFinish, quiet, stop, ...options } = JSON.parse(
  process.argv[2],
)

async function pass(point) {
  if (point !== stop) return
  process.send({ event: 'stopped' })
  await new Promise((resolve) => process.once('message', resolve))
}

/** Wraps an object so that the operation that `stop` names does not continue. */
function stoppable(slot, part) {
  return new Proxy(part, {
    get(target, name) {
      const value = target[name]
      if (typeof value !== 'function') return value
      const point = `${slot}.${String(name)}`
      if (!stop?.endsWith(` ${point}`)) return value.bind(target)
      return async (...parameters) => {
        await pass(`before ${point}`)
        const result = await value.apply(target, parameters)
        await pass(`after ${point}`)
        return result
      }
    },
  })
}

/** Replaces a function and keeps its properties, which `promisify` needs. */
function stoppableWrite(name) {
  const write = fs[name]
  const stopped = (...parameters) => void pass('before fs.write').then(() => write(...parameters))
  fs[name] = Object.defineProperties(stopped, Object.getOwnPropertyDescriptors(write))
}

stoppableWrite('write')
stoppableWrite('writev')
const { createHandler, createUploadServer, StoreComposer } = await import('../.dist/index.js')
const { FileInfoStore, FileLocker, FileStore } = await import('../.dist/file-store.js')

const filled = new StoreComposer().use(
  new FileStore({ directory, locate }),
  new FileInfoStore({ directory }),
)
if (lease !== undefined) new FileLocker({ directory, lease }).useIn(filled)
if (finisher) filled.useFinisher({ finish: async () => {} })
const slots = Object.entries(filled.slots()).map(([slot, part]) => [slot, stoppable(slot, part)])

const handler = createHandler({
  basePath: '/files',
  composer: { slots: () => Object.fromEntries(slots) },
  ...(quiet && { logger: { error() {}, warn() {}, info() {}, debug() {} } }),
  ...(preFinish && { hooks: { preFinish: () => pass('in preFinish') } }),
  ...options,
})
const server = createUploadServer(handler).listen(0, '127.0.0.1', () => {
  process.send({ event: 'listening', origin: `http://127.0.0.1:${server.address().port}` })
})
