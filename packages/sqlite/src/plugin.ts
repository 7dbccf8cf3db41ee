import type { ComposerPart } from 'tuskit'
import type { SqliteDatabase } from './sqlite-database.js'
import { SqliteInfoStore, type SqliteInfoStoreOptions } from './sqlite-info-store.js'

/** Makes the store from URLs such as `sqlite:///srv/uploads.db` and `sqlite:./uploads.db`. */
export const plugin = {
  info: { sqlite: infoFromUrl },
}

type Database = SqliteDatabase & { close(): unknown }
type Connect = new (path: string) => Database

/** The options after the question mark. */
const known = ['table-prefix', 'schema']

async function infoFromUrl(url: string): Promise<ComposerPart> {
  const [path = '', query] = url.replace(/^sqlite:(\/\/(?=\/))?/i, '').split(/\?(.*)/s)
  if (path === '' || path.startsWith('//')) {
    throw new Error('it must name a file, as sqlite:./uploads.db and sqlite:///srv/uploads.db do')
  }
  const options = new URLSearchParams(query)
  const unknown = [...options.keys()].find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new Error(`there is no option ${unknown}, only ${known.join(', ')}`)
  }
  const [tablePrefix, schema] = [options.get('table-prefix'), options.get('schema')]
  const Database = await driver()
  const database = new Database(decodeURIComponent(path))
  const store = new SqliteInfoStore({
    database,
    ...(tablePrefix !== null && { tablePrefix }),
    ...(schema !== null && { schema: schema as NonNullable<SqliteInfoStoreOptions['schema']> }),
  })
  return {
    useIn(composer) {
      composer.use(store)
      composer.useLifecycle({ open: async () => {}, close: async () => void database.close() })
    },
  }
}

/** Returns the class of Node, or that of the package where Node has none. */
async function driver(): Promise<Connect> {
  // The first versions of Node 20 that tuskit supports have no such function.
  const getBuiltinModule = process.getBuiltinModule as typeof process.getBuiltinModule | undefined
  const builtIn = getBuiltinModule?.('node:sqlite')
  if (builtIn !== undefined) return builtIn.DatabaseSync
  const name = 'better-sqlite3'
  const module = await (import(name) as Promise<{ readonly default: Connect }>).catch(
    (cause: unknown) => {
      throw new Error(
        `this version of Node has no SQLite. Use Node 22.13 or later, or run: npm install ${name}`,
        { cause },
      )
    },
  )
  return module.default
}
