import { crc32 } from 'node:zlib'

/**
 * The number of shards. A Cluster keeps keys with the same hash tag on the same server, so more
 * shards would spread over more servers, and lists would take more requests. It can never change:
 * records would not be found any more.
 */
const count = 32

/** The keys of one shard, without their ends. A script can use only keys of one shard. */
export const shards: readonly string[] = Array.from(
  { length: count },
  (_, number) => `{${String(number).padStart(2, '0')}}:`,
)

/** Returns the shard of an upload. */
export function shardOf(id: string): string {
  return shards[crc32(id) % count]!
}
