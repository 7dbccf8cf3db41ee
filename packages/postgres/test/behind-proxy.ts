import pg from 'pg'
import { TcpProxy } from 'tuskit/store-kit'
import type { Postgres } from '../services.js'

/** A database of its own, behind a proxy that can break the connections to it. */
export interface Behind {
  readonly server: Postgres
  readonly proxy: TcpProxy
  readonly database: string
  readonly pools: pg.Pool[]
}

/** Makes a subject of the suite, with a composer of its own. */
export async function behindProxy<Composer>(
  server: Postgres,
  compose: (behind: Behind) => Composer,
): Promise<Behind & { composer: Composer; dispose: () => Promise<void> }> {
  const proxy = await TcpProxy.start({ port: server.port })
  const behind: Behind = { server, proxy, database: await server.createDatabase(), pools: [] }
  const dispose = async () => {
    await proxy.close()
    for (const pool of behind.pools) await pool.end()
  }
  return Object.assign(behind, { composer: compose(behind), dispose })
}

export function poolOf({ server, proxy, database, pools }: Behind): pg.Pool {
  const pool = new pg.Pool({
    connectionString: server.url(database, proxy.port),
    // Connections that are kept would outlive a store, which does not own the pool.
    idleTimeoutMillis: 500,
    connectionTimeoutMillis: 3_000,
  })
  pools.push(pool)
  return pool
}

/** An option of the suite: the ways in which the server can fail. */
export const unplug = {
  down({ proxy }: Behind) {
    proxy.cut()
    return () => proxy.restore()
  },
  async gone({ server, database }: Behind) {
    await server.query('ALTER SCHEMA public RENAME TO elsewhere', { database })
    return () => server.query('ALTER SCHEMA elsewhere RENAME TO public', { database })
  },
  refused: ({ server, database }: Behind) => server.makeReadOnly(database),
  paused({ proxy }: Behind) {
    proxy.stall()
    return () => proxy.restore()
  },
}
