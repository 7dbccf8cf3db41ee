import { StoreComposer } from 'tuskit'
import { FileStore } from 'tuskit/file-store'
import { RedisInfoStore, RedisLocker, type RedisClient } from '@tuskit/redis'
import { serve, temporaryDirectory, type Site } from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'

/** Starts a server whose records and locks are in Redis, and whose data is in files. */
export async function serveRedis(
  client: RedisClient,
  shared?: string,
): Promise<Site & { readonly directory: string }> {
  const directory = shared ?? (await temporaryDirectory())
  const composer = new StoreComposer().use(
    new FileStore({ directory }),
    new RedisInfoStore({ client, timeout: 1_500 }),
    new RedisLocker({ client, timeout: 1_500, lease: 3_000 }),
  )
  return { ...(await serve({ composer, logger: silent, lockTimeout: 5_000 })), directory }
}
