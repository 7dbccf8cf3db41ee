import { crc32 } from 'node:zlib'

/**
 * The hash tags of the shards. A Cluster keeps keys with the same tag on the same server, so more
 * shards would spread over more servers, and lists would take more requests. The slots of these
 * tags are 512 apart, so that equal servers get equal shares. They can never change: records would
 * not be found any more.
 */
const tags =
  '6u by 25 f9 0n db o2 gg 8c 06 4g 4v ed m1 fa 2m k4 ca 4h x5 63 ez 2s yk z6 6k ab i7 c9 0p gy 40'

/** The keys of one shard, without their ends. A script can use only keys of one shard. */
export const shards: readonly string[] = tags.split(' ').map((tag) => `{${tag}}:`)

/** Returns the shard of an upload. */
export function shardOf(id: string): string {
  return shards[crc32(id) % shards.length]!
}
