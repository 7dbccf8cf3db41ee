export { PostgresInfoStore, type PostgresInfoStoreOptions } from './postgres-info-store.js'
export type { PostgresPartOptions } from './shared-options.js'
export type {
  PostgresConnection,
  PostgresNotification,
  PostgresPool,
  PostgresPoolClient,
} from './postgres-pool.js'
