// Changes records over better-sqlite3. Argument, as JSON: `home`, the folder of better-sqlite3;
// `file`; and either `changes`, the number of changes to the record `shared`, or `name`, the
// beginning of the ids of records that are created, and printed, without end.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { SqliteInfoStore } from '@tuskit/sqlite'

const { home, file, changes, name } = JSON.parse(process.argv[2])
const Database = createRequire(join(home, 'index.js'))('better-sqlite3')
const store = new SqliteInfoStore({ database: new Database(file), busyTimeout: 60_000 })
const noAbort = { signal: new AbortController().signal }
await store.open()

for (let made = 0; made < changes;) {
  const record = await store.get('shared', noAbort)
  try {
    await store.update(
      { ...record, revision: record.revision + 1, length: record.length + 1 },
      noAbort,
    )
    made++
  } catch (error) {
    if (error.code !== 'ERR_INFO_CONFLICT') throw error
  }
}

for (let i = 0; name !== undefined; i++) {
  const ids = Array.from({ length: 4 }, (_, j) => `${name}-${i}-${j}`)
  const record = { ...(await store.get('shared', noAbort)), revision: 1 }
  await Promise.all(
    ids.map(async (id) => {
      await store.create({ ...record, id }, noAbort)
      process.stdout.write(`${id}\n`)
    }),
  )
}
