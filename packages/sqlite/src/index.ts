export { SqliteInfoStore, type SqliteInfoStoreOptions } from './sqlite-info-store.js'
export type { SqliteDatabase, SqliteStatement } from './sqlite-database.js'
