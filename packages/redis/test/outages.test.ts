import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { RedisClient } from '@tuskit/redis'
import {
  createUpload,
  head,
  openPatch,
  patch,
  post,
  send,
  type Reply,
} from '../../../test/support/serve.js'
import { RedisSentinels, RedisServer } from '../services.js'
import { clients, sentinelClients } from './clients.js'
import { serveRedis } from './serve-redis.js'

const size = 300_000

/** Something that happens to Redis in the middle of an upload. */
interface Outage {
  readonly name: string
  /** Waits until a failover loses nothing. */
  readonly prepare?: () => Promise<void>
  readonly begin: () => Promise<void>
  readonly end: () => Promise<void>
}

/** Asserts that a client tries again, also if it takes other responses for the end. */
function expectRetry({ status, headers }: Reply): void {
  expect(status).toBeGreaterThanOrEqual(500)
  expect(headers['retry-after']).toMatch(/^\d+$/)
}

/** Continues an upload as a client does, until it is complete. */
async function finish(url: string, content: Buffer): Promise<void> {
  for (;;) {
    const { status, headers } = await head(url)
    expect(status).toBeOneOf([200, 423])
    if (status === 200) {
      const offset = Number(headers['upload-offset'])
      if (offset === content.length) return
      const reply = await patch(url, offset, content.subarray(offset))
      if (reply.status !== 204) expectRetry(reply)
    }
    await sleep(50)
  }
}

/** Uploads while Redis fails between two requests, and in the middle of a third. */
async function survive(client: RedisClient, { prepare, begin, end }: Outage): Promise<void> {
  const site = await serveRedis(client)
  const content = randomBytes(size)
  const length = { 'upload-length': `${size}` }
  const [url, other] = [await createUpload(site, length), await createUpload(site, length)]
  expect(await patch(url, 0, content.subarray(0, 100_000))).toMatchObject({ status: 204 })
  const open = openPatch(other, 0, { 'content-length': `${size}` })
  open.request.write(content.subarray(0, 100_000))
  await prepare?.()
  await begin()
  try {
    const [created, continued, asked] = await Promise.all([
      post(site, length),
      patch(url, 100_000, content.subarray(100_000)),
      head(url),
    ])
    expectRetry(created)
    expectRetry(continued)
    expect(asked.status).toBeOneOf([200, 423])
  } finally {
    await end()
  }
  open.request.end(content.subarray(100_000))
  // It may have lost its lock.
  const reply = await open.reply.catch(() => undefined)
  if (reply !== undefined && reply.status !== 204) expectRetry(reply)
  for (const one of [url, other]) {
    await finish(one, content)
    const { status, body } = await send({ method: 'GET', url: one })
    expect(status).toBe(200)
    expect(body.equals(content)).toBe(true)
  }
}

describe.each(clients)('with a client of $name', ({ connect }) => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis.stop())

  test.each<Outage>([
    { name: 'is killed', begin: () => redis.kill(), end: () => redis.restart() },
    { name: 'hangs', begin: () => redis.pause(), end: async () => redis.resume() },
    { name: 'refuses writes', begin: () => redis.makeReadOnly(), end: () => redis.makeWritable() },
  ])('an upload is finished when Redis $name', async (outage) => {
    await survive(await connect(redis), outage)
  })
})

describe.each(sentinelClients)('with Sentinel and $name', ({ connect }) => {
  test.each(['is killed', 'hangs'])('an upload is finished when the master %s', async (name) => {
    const group = await RedisSentinels.start()
    onTestFinished(() => group.stop())
    const before = await group.master()
    await survive(await connect(group), {
      name,
      prepare: () => group.replicated(),
      begin: () => (name === 'hangs' ? before.pause() : before.kill()),
      end: async () => {},
    })
    expect(await group.master()).not.toBe(before)
  })
})
