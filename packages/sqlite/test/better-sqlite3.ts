import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { SqliteDatabase } from '@tuskit/sqlite'
import { kept } from '../../../test/house/kept.js'
import { npm } from '../../../test/house/npm.js'

/** A connection of either kind. */
export type Connection = SqliteDatabase & { close(): unknown }

const version = 'better-sqlite3@12.11.1'

/**
 * Returns the folder that contains better-sqlite3, from the npm registry. It is installed once,
 * which may compile it, and kept until the next `npm ci`. As a dependency of the repository it
 * would make each installation take so long.
 */
export function betterSqlite3(): Promise<string> {
  return kept('better-sqlite3', version, (folder) =>
    npm('install', '--prefix', folder, '--no-save', version),
  )
}

/** Returns a function that opens connections of better-sqlite3. */
export async function connector(): Promise<(path: string) => Connection> {
  const require = createRequire(join(await betterSqlite3(), 'index.js'))
  const Database = require('better-sqlite3') as new (path: string) => Connection
  return (path) => new Database(path)
}
