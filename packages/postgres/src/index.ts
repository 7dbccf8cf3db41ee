export { PostgresInfoStore, type PostgresInfoStoreOptions } from './postgres-info-store.js'
export { PostgresLocker, type PostgresLockerOptions } from './postgres-locker.js'
export type { PostgresPartOptions } from './shared-options.js'
export type {
  PostgresConnection,
  PostgresListener,
  PostgresNotification,
  PostgresPool,
  PostgresPoolClient,
} from './postgres-pool.js'
