import { createClient } from 'redis'
import { RedisInfoStore } from '../../packages/redis/src/index.js'
import { RedisServer } from '../../packages/redis/services.js'
import { Postgres } from '../../packages/postgres/services.js'
import type { DatabaseParts } from './database.js'

/** Starts a Redis for records and locks. */
export async function startRedis(): Promise<DatabaseParts> {
  const service = await RedisServer.start()
  return {
    service,
    describe: (at) => ({ redis: `redis://${at}` }),
    async ids() {
      const client = createClient({ url: service.url })
      await client.connect()
      try {
        const ids = new Set<string>()
        const { signal } = new AbortController()
        for await (const id of new RedisInfoStore({ client }).ids({ signal })) ids.add(id)
        return ids
      } finally {
        client.destroy()
      }
    },
  }
}

/** Starts a PostgreSQL for records and locks. */
export async function startPostgres(): Promise<DatabaseParts> {
  const service = await Postgres.start()
  const database = await service.createDatabase()
  const url = service.url(database)
  return {
    service,
    describe: (at) => ({ postgres: url.replace(`127.0.0.1:${service.port}`, at) }),
    async ids() {
      const rows = await service.query('SELECT id FROM tuskit_uploads', { database })
      return new Set(rows.map(({ id }) => String(id)))
    },
  }
}
