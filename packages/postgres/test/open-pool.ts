import pg from 'pg'
import { onTestFinished } from 'vitest'

/** Makes a pool, which ends with the test. */
export function openPool(url: string, options: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 5_000, ...options })
  onTestFinished(() => pool.end())
  return pool
}
