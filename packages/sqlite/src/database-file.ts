import { statSync } from 'node:fs'
import type { SqliteDatabase } from './sqlite-database.js'

/** The file of a database, as it is when the object is made. */
export class DatabaseFile {
  readonly #path: string
  readonly #identity: string

  constructor(database: SqliteDatabase) {
    const files = database.prepare('PRAGMA database_list').all() as { name: string; file: string }[]
    this.#path = files.find(({ name }) => name === 'main')!.file
    this.#identity = this.#found()
  }

  /**
   * Throws if the file has been removed or replaced. SQLite would not notice, and everything that
   * it still writes would be lost when the connection is closed.
   */
  confirm(): void {
    if (this.#found() === this.#identity) return
    throw Object.assign(new Error(`${this.#path} is another file than the one that was opened`), {
      code: 'ESTALE',
    })
  }

  #found(): string {
    const { dev, ino } = statSync(this.#path, { bigint: true })
    return `${dev}:${ino}`
  }
}
