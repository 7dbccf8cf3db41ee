// Stores more than the largest file that this process may write. Prints the result as JSON.
import { readdir } from 'node:fs/promises'
import { FileInfoStore, FileStore } from '../.dist/file-store.js'

const [directory] = process.argv.slice(2)
const { signal } = new AbortController()
const store = new FileStore({ directory })
const infos = new FileInfoStore({ directory })
const uploadOf = (id, size) => ({
  id,
  revision: 1,
  protocol: 'tus',
  metadata: { raw: 'x'.repeat(size), values: {} },
  storage: { kind: 'file', at: { path: id } },
  createdAt: '2026-03-04T05:06:07.000Z',
  finish: 'implied',
  state: { kind: 'open' },
})
const announced = []
const options = {
  signal,
  fence: { token: 1, forced: false, held: () => true, shutOut() {} },
  saveSecret: async () => {},
  progress: (offset) => announced.push(offset),
}
const bodyOf = (...sizes) => ({
  async *[Symbol.asyncIterator]() {
    for (const size of sizes) yield [Buffer.alloc(size)]
  },
})
const codeOf = (promise) =>
  promise.then(
    () => 'none',
    (error) => `${error.code} ${error.cause?.code ?? ''}`.trim(),
  )

const upload = uploadOf('a', 0)
await store.create(upload, options)
const append = await codeOf(store.append(upload, { offset: 0 }, bodyOf(1000, 100_000), options))
const { offset } = await store.stat(upload, { signal })

await infos.create(uploadOf('b', 10), options)
const update = await codeOf(infos.update({ ...uploadOf('b', 100_000), revision: 2 }, options))
const { revision } = await infos.get('b')
const create = await codeOf(infos.create(uploadOf('c', 100_000), options))
const names = (await readdir(directory)).sort()
console.log(JSON.stringify({ append, announced, offset, update, revision, create, names }))
