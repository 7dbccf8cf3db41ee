// Compares the stores themselves, without requests. See small-uploads.mjs, and preload the builds
// with `--import ./test/programs/use-test-build.mjs`. The argument is a directory.
import { setMaxListeners } from 'node:events'
import { createRequire } from 'node:module'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileInfoStore } from 'tuskit/file-store'
import { SqliteInfoStore } from '@tuskit/sqlite'

const place = process.argv[2] ?? tmpdir()
const cache = fileURLToPath(new URL('../../../../node_modules/.cache/tuskit', import.meta.url))
const home = join(
  cache,
  (await readdir(cache)).find((name) => /^better-sqlite3-\w+$/.test(name)),
)
const Database = createRequire(join(home, 'index.js'))('better-sqlite3')
const noAbort = { signal: new AbortController().signal }
setMaxListeners(0, noAbort.signal)
const count = 100_000
const now = new Date()

const recordOf = (id, i) => ({
  id,
  revision: 1,
  protocol: 'tus',
  length: 4_096,
  metadata: { raw: 'filename cGhvdG8uanBn', values: { filename: 'photo.jpg' } },
  storage: { kind: 'file', at: { path: id } },
  createdAt: now.toISOString(),
  // One in a hundred has expired.
  expiresAt: new Date(+now + (i % 100 === 0 ? -1 : 1) * 3_600_000).toISOString(),
  finish: 'implied',
  state: { kind: 'open' },
})

async function each(ids, atOnce, call) {
  let next = 0
  const start = performance.now()
  const lane = async () => {
    while (next < ids.length) await call(ids[next], next++)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return ((performance.now() - start) / ids.length) * 1_000
}

async function listed(iterable) {
  const start = performance.now()
  let found = 0
  for await (const _ of iterable) found++
  return `${Math.round(performance.now() - start)} ms (${found})`
}

const kinds = {
  'files, os': (directory) => new FileInfoStore({ directory }),
  'files, disk': (directory) => new FileInfoStore({ directory, durability: 'disk' }),
  sqlite: (directory) => new SqliteInfoStore({ database: new Database(join(directory, 'a.db')) }),
}
const ids = Array.from({ length: count }, () => randomBytes(16).toString('hex'))
for (let round = 0; round < 2; round++) {
  for (const [kind, make] of Object.entries(kinds)) {
    const directory = await mkdtemp(join(place, 'tuskit-bench-'))
    const store = make(directory)
    await store.open?.()
    const figures = {}
    const micros = async (name, ...rest) => {
      figures[name] = `${(await each(...rest)).toFixed(0)} µs`
    }
    const create = (id, i) => store.create(recordOf(id, i), noAbort)
    await micros('create', ids.slice(0, 2_000), 1, create)
    await micros('create, 16 at once', ids.slice(2_000, 10_000), 16, (id, i) => create(id, i))
    await each(ids.slice(10_000), 256, create)
    const update = (id, i) => store.update({ ...recordOf(id, i), revision: 2 }, noAbort)
    await micros('update', ids.slice(0, 2_000), 1, update)
    await micros('get', ids.slice(50_000, 52_000), 1, (id) => store.get(id, noAbort))
    figures.expired = await listed(store.expired(now, noAbort))
    figures['expired again'] = await listed(store.expired(now, noAbort))
    figures.ids = await listed(store.ids(noAbort))
    console.log(kind, JSON.stringify(figures))
    await rm(directory, { recursive: true })
  }
}
