import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  head,
  patch,
  post,
  remove,
  temporaryDirectory,
  until,
  type Reply,
} from '../../../test/support/serve.js'
import { RabbitMq } from '../services.js'
import { consume } from './consumer.js'
import { DyingServers, steps, types, type Death } from './dying-servers.js'

let broker: RabbitMq

beforeAll(async () => {
  broker = await RabbitMq.start()
})
afterAll(() => broker.stop())

/** Sends a request until the server lives long enough to respond, and responds to the point. */
async function persist(send: () => Promise<Reply>): Promise<Reply> {
  const reply = await until(
    () => send().catch(() => undefined),
    (found) => found !== undefined && found.status < 500 && found.status !== 423,
  )
  return reply!
}

/**
 * Creates an upload, finishes it and removes it. Returns whether it existed: a creation that was
 * cut off after the record leaves no upload.
 */
async function live(port: number, id: string): Promise<boolean> {
  const origin = `http://127.0.0.1:${port}`
  const url = `${origin}/files/${id}`
  const metadata = `id ${Buffer.from(id).toString('base64')}`
  const headers = { 'upload-length': '5', 'upload-metadata': metadata }
  const created = await persist(() => post({ origin }, headers))
  // The second is the response to a creation that has succeeded, or left a record without data.
  expect([201, 422]).toContain(created.status)
  const found = await persist(() => head(url))
  if (found.status === 410) return false
  expect(found.status).toBe(200)
  await until(
    async () => {
      const { headers } = await persist(() => head(url))
      const offset = Number(headers['upload-offset'])
      // At the end of an upload, the response says that it is finished.
      return patch(url, offset, 'hello'.slice(offset)).catch(() => undefined)
    },
    (reply) => reply?.status === 204,
  )
  expect([204, 404, 410]).toContain((await persist(() => remove(url))).status)
  return true
}

/** Waits until the outbox has no entries, and returns the folders that it has. */
async function drained(directory: string): Promise<readonly string[]> {
  const names = await until(
    () => readdir(join(directory, 'events')),
    (found) => found.every((name) => !name.endsWith('.json')),
  )
  return names.filter((name) => !name.startsWith('.'))
}

/** Returns the events of each upload in the order of their arrival, without those that repeat. */
function byUpload(ids: readonly unknown[]): Readonly<Record<string, readonly string[]>> {
  const events: Record<string, string[]> = {}
  for (const [, id, type] of ids.map((text) => /^(.*)\/(.*)$/.exec(String(text))!)) {
    const before = (events[id!] ??= [])
    if (before.at(-1) !== type) before.push(type!)
  }
  return events
}

/** Runs servers that die, with uploads. Expects all events of these to have arrived in order. */
async function prove(
  { deaths, uploads }: { readonly deaths: readonly Death[]; readonly uploads: readonly string[] },
  onDeath?: () => Promise<void>,
) {
  const directory = await temporaryDirectory()
  const url = await broker.createHost()
  const servers = await DyingServers.start({ directory, url })
  const running = servers.run(deaths, onDeath)
  const living = await Promise.all(uploads.map((id) => live(servers.port, id)))
  expect(await drained(directory)).toEqual([])
  const lived = uploads.filter((_, index) => living[index])
  const received = await consume(url, 'uploads')
  const ids = () => received.map(({ properties }) => properties['messageId'])
  await until(
    async () => ids(),
    (all) => lived.every((id) => all.includes(`${id}/post-terminate`)),
  )
  const expected = Object.fromEntries(lived.map((id) => [id, types]))
  expect(byUpload(ids()), JSON.stringify(deaths)).toEqual(expected)
  return { servers, running }
}

const moments = steps.flatMap((step) =>
  (['before', 'after'] as const).map((when) => ({ step, when })),
)

test.each(types)('a server that is killed at any step of %s loses no event', async (type) => {
  const proofs = moments.map(async (moment) => {
    // If the creation of the first upload is cut off, the second has events all the same.
    const uploads = ['first', 'second']
    const deaths = [{ ...moment, type, count: 1 }]
    const { servers, running } = await prove({ deaths, uploads })
    await running
    expect(servers.died, JSON.stringify(moment)).toBe(1)
  })
  await Promise.all(proofs)
})

test.each([1, 2])('servers and the broker are killed, seed %i: no event is lost', async (seed) => {
  const random = randomOf(seed)
  const oneOf = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)]!
  const deaths = Array.from({ length: 3 }, () => ({
    ...oneOf(moments),
    type: oneOf(types),
    count: 1 + Math.floor(random() * 2),
  }))
  const uploads = Array.from({ length: 6 }, (_, i) => `upload-${i}`)
  let restarting: Promise<void> | undefined
  const { servers } = await prove({ deaths, uploads }, async () => {
    // The next server begins without a broker, while clients send requests.
    restarting ??= broker.restart()
  })
  await restarting
  expect(servers.died).toBeGreaterThan(0)
})

/** Returns a generator of random numbers (mulberry32), the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
