import { describe, expect, test } from 'vitest'
import type { Handler, WriteOptions } from 'tuskit'
import type { Shortage } from 'tuskit/limited-store'
import { createUpload, head, patch, post, until, idOf } from '../support/serve.js'
import { createOf, deferred, gone, inMemory, inners, recordsOf } from './limited.js'
import { serveLimited, tryToCreate } from './limited.js'
import { noAbort } from '../support/stages.js'

describe.each(inners)('evict, in $medium', ({ open }) => {
  test('frees space for an upload by terminating others', async () => {
    const { site, calls } = await evictingOldest(await open())
    const [oldest, newer] = [await createOf(site, 6), await createOf(site, 5)]
    const created = await createOf(site, 4)
    expect(calls).toEqual([{ id: idOf(created), missing: 4 }])
    expect((await head(oldest)).status).toBeOneOf(gone)
    expect((await head(newer)).status).toBe(200)
    expect(site.counter.used).toBe(9)
  })

  test('frees space during a body', async () => {
    const { site, calls } = await evictingOldest(await open())
    const oldest = await createOf(site, 11)
    const url = await createUpload(site, deferred)
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    expect(calls).toEqual([{ id: idOf(url), missing: 5 }])
    expect((await head(oldest)).status).toBeOneOf(gone)
  })

  test('runs once at a time, and not if there is space by then', async () => {
    const { site, calls } = await evictingOldest(await open())
    await createOf(site, 11)
    const replies = await Promise.all(Array.from({ length: 11 }, () => tryToCreate(site, 1)))
    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 11 }, () => 201))
    expect(calls).toHaveLength(1)
    expect(site.counter.used).toBe(11)
  })
})

test('evict that frees too little ends with the refusal', async () => {
  const { site, calls } = await evictingOldest(inMemory())
  await createOf(site, 1)
  await createOf(site, 10)
  expect((await tryToCreate(site, 11)).status).toBe(507)
  expect(calls).toMatchObject([{ missing: 11 }])
  expect(site.counter.used).toBe(10)
})

test('evict does not run for an upload that can never fit', async () => {
  const { site, calls } = await evictingOldest(inMemory())
  await createOf(site, 11)
  expect((await tryToCreate(site, 12)).status).toBe(507)
  expect(calls).toEqual([])
})

test('evict that fails ends with the refusal, and is logged', async () => {
  const failure = new Error('No list of victims')
  const evict = () => Promise.reject(failure)
  const site = await serveLimited({ ...inMemory(), evict })
  await createOf(site, 11)
  expect((await tryToCreate(site, 1)).status).toBe(507)
  expect(site.logger.lines.map(({ fields }) => fields.error)).toEqual([failure])
})

test('evict delays no request longer than spaceTimeout', async () => {
  const evict = () => new Promise(() => {})
  const site = await serveLimited({ ...inMemory(), evict, spaceTimeout: 50 })
  await createOf(site, 11)
  const replies = await Promise.all([tryToCreate(site, 1), tryToCreate(site, 2)])
  expect(replies.map(({ status }) => status)).toEqual([507, 507])
  expect(site.counter.used).toBe(11)
})

test('evict does not deadlock when it terminates the upload that needs space', async () => {
  const settled: Promise<unknown>[] = []
  const evict = ({ id }: Shortage) => {
    const terminated = handler.uploads.terminate(id)
    settled.push(terminated)
    return terminated
  }
  const site = await serveLimited({ ...inMemory(), evict, spaceTimeout: 50 })
  const handler: Handler = site.handler
  await createOf(site, 11)
  expect((await tryToCreate(site, 1)).status).toBe(507)
  // The creation was undone before its lock was free.
  await expect(settled[0]).rejects.toMatchObject({ code: 'ERR_UPLOAD_NOT_FOUND' })
  expect(await recordsOf(site.composer)).toHaveLength(1)
})

test('uploads that evict each other block nothing permanently', async () => {
  const evict = ({ id }: Shortage) => {
    const [victim] = urls.map(idOf).filter((other) => other !== id)
    return handler.uploads.terminate(victim!)
  }
  const site = await serveLimited({ ...inMemory(), evict, spaceTimeout: 100 })
  const handler: Handler = site.handler
  const urls = [await createUpload(site, deferred), await createUpload(site, deferred)]
  for (const url of urls) await patch(url, 0, 'hello')
  // One of them is terminated while its request waits, which may cut the connection.
  await Promise.allSettled(urls.map((url) => patch(url, 5, 'world')))
  await until(
    () => recordsOf(site.composer),
    ({ length }) => length < 2,
  )
  expect(site.counter.used).toBeLessThanOrEqual(11)
})

test('during evict, other requests for space wait, and those for its own upload are refused', async () => {
  const outcomes: unknown[] = []
  const evict = async () => {
    const { dataStore, infoStore } = site.composer.slots()
    const [record] = await recordsOf(site.composer)
    const upload = { ...record!, id: 'nested', storage: dataStore!.locate({ ...record!, id: 'n' }) }
    await infoStore!.create(upload, noAbort)
    outcomes.push(
      await dataStore!.create(upload, { ...turn, incoming: 'nothing' }).catch((e) => e.code),
    )
  }
  // Waiting would take longer than the test.
  const site = await serveLimited({ ...inMemory(), evict, spaceTimeout: 1_000_000 })
  await createOf(site, 11)
  expect((await post(site, { 'upload-length': '1' })).status).toBe(507)
  expect(outcomes).toEqual(['ERR_STORAGE_FULL'])
})

const turn: WriteOptions = {
  signal: new AbortController().signal,
  fence: { token: 1, forced: false, held: () => true, shutOut: () => {} },
  saveSecret: async () => {},
}

/** A site that terminates the upload with the oldest record whenever there is no space. */
async function evictingOldest(inner: Awaited<ReturnType<(typeof inners)[number]['open']>>) {
  const calls: Shortage[] = []
  const created: string[] = []
  const hooks = {
    postCreate: ({ upload }: { upload: { id: string } }) => void created.push(upload.id),
  }
  const evict = async (shortage: Shortage) => {
    calls.push(shortage)
    await site.handler.uploads.terminate(created.find((id) => id !== shortage.id)!)
  }
  const site = await serveLimited({ ...inner, evict }, { hooks })
  return { site, calls }
}
