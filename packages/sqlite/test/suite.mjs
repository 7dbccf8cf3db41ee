// The suite for both kinds of connections. The tests of Node 20 and programs of later versions of
// Node run it.
import { mkdtemp, readdir, readlink, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { SqliteInfoStore } from '@tuskit/sqlite'

/** Runs the suite. `connect` opens a connection to a file. */
export function runSuite({ test, connect }) {
  const connected = (subject) => {
    const database = connect(join(subject.folder, 'uploads.db'))
    subject.databases.push(database)
    // SQLite opens the files of the log when they are used.
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS used (a)')
    return database
  }
  const compose = (subject) => {
    const database = connected(subject)
    return new StoreComposer().use(new SqliteInfoStore({ database, busyTimeout: 100 }))
  }
  conformanceSuite({
    test,
    slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
    async factory() {
      const folder = await mkdtemp(join(tmpdir(), 'tuskit-sqlite-'))
      const subject = { folder, databases: [] }
      subject.operator = connected(subject)
      subject.composer = compose(subject)
      subject.dispose = async () => {
        for (const database of subject.databases) database.close()
        await rm(folder, { recursive: true })
      }
      return subject
    },
    another: compose,
    unplug: {
      async gone({ folder }) {
        await rename(folder, `${folder}-moved`)
        return () => rename(`${folder}-moved`, folder)
      },
      refused({ operator }) {
        operator.exec('PRAGMA busy_timeout = 1000; BEGIN IMMEDIATE')
        return () => operator.exec('ROLLBACK')
      },
    },
    damage(id, { operator }) {
      operator
        .prepare('UPDATE tuskit_uploads SET record = substr(record, 1, 20) WHERE id = ?')
        .run(id)
    },
    async openHandles({ folder }) {
      const names = await readdir('/proc/self/fd')
      const links = names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ''))
      return (await Promise.all(links)).filter((path) => path.startsWith(folder)).length
    },
  })
}
