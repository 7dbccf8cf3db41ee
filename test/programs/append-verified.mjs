// Appends chunks to the upload `a` in a directory, as long as it lives: `accepted` chunks consist
// of the letter A, refused ones of X. Prints each offset that it announces on a line, and `busy` in
// the middle of each chunk. With the argument `stop` it waits there forever.
import { FileStore } from '../.dist/file-store.js'

const [directory, stop] = process.argv.slice(2)
const { signal } = new AbortController()
const store = new FileStore({ directory })
const upload = {
  id: 'a',
  revision: 1,
  protocol: 'tus',
  metadata: { raw: '', values: {} },
  storage: { kind: 'file', at: { path: 'a' } },
  createdAt: '2026-03-04T05:06:07.000Z',
  finish: 'implied',
  state: { kind: 'open' },
}
const options = {
  signal,
  fence: { token: 1, forced: false, held: () => true, shutOut() {} },
  saveSecret: async () => {},
  progress: (offset) => console.log(offset),
}

const bodyOf = (letter) => ({
  async *[Symbol.asyncIterator]() {
    for (let i = 0; i < 4; i++) {
      yield [Buffer.alloc(5000, letter)]
      console.log('busy')
      if (stop === 'stop') await new Promise(() => setInterval(() => {}, 1e9))
    }
  },
})

for (let round = 0; ; round++) {
  const from = await store.stat(upload, { signal })
  if (round % 3 === 2) {
    await store.append(upload, from, bodyOf('A'), options)
  } else {
    const good = round % 3 === 0
    await store.appendVerified(upload, from, bodyOf(good ? 'A' : 'X'), async () => good, options)
  }
}
