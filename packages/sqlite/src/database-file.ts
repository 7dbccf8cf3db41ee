import { statSync } from 'node:fs'
import type { SqliteDatabase } from './sqlite-database.js'

/** The file of a database and its write-ahead log, as they are when the object is made. */
export class DatabaseFile {
  readonly #path: string
  readonly #identity: string

  constructor(database: SqliteDatabase) {
    const files = database.prepare('PRAGMA database_list').all() as { name: string; file: string }[]
    this.#path = files.find(({ name }) => name === 'main')!.file
    this.#identity = this.#found()
  }

  /**
   * Throws if one of them has been removed or replaced. SQLite would not notice, and everything
   * that it still writes would be lost when the process ends.
   */
  confirm(): void {
    if (this.#found() === this.#identity) return
    const message = `${this.#path} or its log is another file than the one that was opened`
    throw Object.assign(new Error(message), { code: 'ESTALE' })
  }

  #found(): string {
    const files = [this.#path, `${this.#path}-wal`].map((path) => statSync(path, { bigint: true }))
    return files.map(({ dev, ino }) => `${dev}:${ino}`).join()
  }
}
