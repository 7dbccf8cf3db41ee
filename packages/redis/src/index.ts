export type {
  IoRedis,
  IoRedisSubscriber,
  NodeRedis,
  NodeRedisScript,
  NodeRedisSubscriber,
  RedisClient,
} from './database/redis-client.js'
export type { RedisPartOptions } from './shared-options.js'
export { RedisInfoStore, type RedisInfoStoreOptions } from './redis-info-store.js'
export { RedisLocker, type RedisLockerOptions } from './redis-locker.js'
