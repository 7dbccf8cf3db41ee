export { MysqlInfoStore, type MysqlInfoStoreOptions } from './mysql-info-store.js'
export { MysqlLocker, type MysqlLockerOptions } from './mysql-locker.js'
export type { MysqlConnection, MysqlPool, MysqlStatement, MysqlValue } from './mysql-pool.js'
export type { MysqlPartOptions } from './shared-options.js'
