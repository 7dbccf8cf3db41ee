import { expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { LimitedStore, MemorySpaceCounter, type SpaceCounter } from 'tuskit/limited-store'
import { MemoryLocker } from 'tuskit/memory-store'
import { remove, serve, temporaryDirectory } from '../support/serve.js'
import { keptLog } from '../support/stages.js'
import { createOf, inFiles, inMemory, serveLimited, tryToCreate } from './limited.js'

test('MemorySpaceCounter knows the space of each upload, and the missing space', async () => {
  const counter = new MemorySpaceCounter()
  expect(await counter.reserve('a', 6, 10)).toBe(0)
  expect(await counter.reserve('b', 5, 10)).toBe(1)
  expect(await counter.reserve('b', 4, 10)).toBe(0)
  expect(await counter.reserve('a', 6, 10)).toBe(0)
  expect(await counter.reserve('a', 7, 10)).toBe(1)
  expect(counter.used).toBe(10)
  expect(await counter.reserve('a', 5, 1)).toBe(0)
  expect(await counter.reserve('c', 0, 1)).toBe(0)
  expect(counter.used).toBe(9)
})

test('MemorySpaceCounter notes uploads that it does not know', async () => {
  const counter = new MemorySpaceCounter()
  await counter.reserve('a', 6, 10)
  expect(await counter.note('a', 100)).toBe(false)
  expect(await counter.note('b', 100)).toBe(true)
  expect(counter.used).toBe(106)
  await counter.reserve('b', 0, 10)
  expect(await counter.note('b', 1)).toBe(true)
  expect(counter.used).toBe(7)
})

test('two handlers on one storage share a counter', async () => {
  const directory = await temporaryDirectory()
  const counter = slowly(new MemorySpaceCounter())
  const locker = new MemoryLocker()
  const open = async () => {
    const composer = new StoreComposer().useLocker(locker)
    new LimitedStore({ limit: 100, counter, ...inFiles(directory) }).useIn(composer)
    return serve({ composer, logger: keptLog() })
  }
  const sites = [await open(), await open()]
  const replies = await Promise.all(
    Array.from({ length: 30 }, (_, i) => tryToCreate(sites[i % 2]!, 9)),
  )
  const created = replies.filter(({ status }) => status === 201)
  expect(created).toHaveLength(11)
  expect(replies.filter(({ status }) => status === 507)).toHaveLength(19)

  // Either handler frees the space of an upload, no matter which one created it.
  const [one, two] = sites as [(typeof sites)[0], (typeof sites)[0]]
  for (const { headers } of created) {
    expect((await remove(`${two.origin}${headers.location}`)).status).toBe(204)
  }
  await createOf(one, 100)
  expect((await tryToCreate(two, 1)).status).toBe(507)
})

test('separate storages may share a limit', async () => {
  const counter = new MemorySpaceCounter()
  const sites = [
    await serveLimited({ ...inMemory(), counter }),
    await serveLimited({ ...inMemory(), counter }),
  ]
  await createOf(sites[0]!, 6)
  expect((await tryToCreate(sites[1]!, 6)).status).toBe(507)
  expect((await tryToCreate(sites[1]!, 5)).status).toBe(201)
})

test('a counter that fails refuses requests for space', async () => {
  const memory = new MemorySpaceCounter()
  let broken = false
  const counter: SpaceCounter = {
    reserve: (...args) =>
      broken ? Promise.reject(new Error('No route')) : memory.reserve(...args),
    note: (...note) => memory.note(...note),
  }
  const site = await serveLimited({ ...inMemory(), counter })
  const url = await createOf(site, 5)
  broken = true
  expect((await tryToCreate(site, 1)).status).toBe(500)
  expect((await remove(url)).status).toBe(500)
  broken = false
  // The removal was interrupted, and the next request completes it.
  expect((await remove(url)).status).toBe(410)
  expect(memory.used).toBe(0)
})

/** Like a service on the network: it responds later, in the order of the requests. */
function slowly(counter: SpaceCounter): SpaceCounter {
  const later = async <T>(work: () => Promise<T>) => {
    await new Promise(setImmediate)
    const result = await work()
    await new Promise(setImmediate)
    return result
  }
  return {
    reserve: (...args) => later(() => counter.reserve(...args)),
    note: (...note) => later(() => counter.note(...note)),
  }
}
