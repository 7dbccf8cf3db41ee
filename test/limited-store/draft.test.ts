import { describe, expect, test } from 'vitest'
import type { HandlerOptions } from 'tuskit'
import type { Shortage } from 'tuskit/limited-store'
import {
  chunked,
  draft9,
  draftOf,
  limitIn,
  problemIn,
  urlIn,
  type Version,
  versions,
} from '../requirements/ietf/draft.js'
import {
  createUpload,
  download,
  openRequest,
  patch,
  type Reply,
  until,
  idOf,
  untilStored,
} from '../support/serve.js'
import { createOf, deferred, gone, inMemory, inners, type LimitedSite } from './limited.js'
import { recordsOf, serveLimited, tryToCreate } from './limited.js'

/**
 * There is no space: the request fails, the upload continues, and no limit of the protocol is the
 * reason.
 */
function expectFull(reply: Reply, version: Version) {
  expect([reply.status, problemIn(reply).code]).toEqual([507, 'ERR_STORAGE_FULL'])
  expect(reply.headers).toMatchObject(draftOf(version).more)
}

describe.each(inners)('draft uploads, in $medium', ({ open }) => {
  const site = async (options: Partial<HandlerOptions> = {}) => serveLimited(await open(), options)

  test.each(versions)('use their length from the creation on, version %s', async (version) => {
    const draft = draftOf(version)
    const at = await site()
    const url = await draft.started(at, 'he', { 'upload-length': '6' })
    expect(at.counter.used).toBe(6)
    const refused = await draft.create(at, '', { ...draft.more, 'upload-length': '6' })
    expectFull(refused, version)
    expect(refused.headers).not.toHaveProperty('location')
    const whole = await draft.create(at, '123456', draft.end)
    expectFull(whole, version)
    expect(whole.headers).not.toHaveProperty('location')
    expect(await recordsOf(at.composer)).toHaveLength(1)
    expect(at.counter.used).toBe(6)
    // A fitting body is accepted, and the upload has the space that it was promised.
    expect((await draft.create(at, '12345', draft.end)).headers).toMatchObject(draft.end)
    expect((await draft.append(url, 2, 'llo!', draft.end)).headers).toMatchObject(draft.end)
    expect(at.counter.used).toBe(11)
    expect((await draft.ask('DELETE', url)).status).toBe(204)
    expect(at.counter.used).toBe(5)
  })

  test.each(versions)(
    'without a length use only the space of what arrived, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const url = await draft.started(at, 'hello')
      expect(at.counter.used).toBe(5)
      const other = await createOf(at, 5)
      const refused = await draft.append(url, 5, ' world', draft.more)
      expectFull(refused, version)
      expect(refused.headers['upload-offset']).toBe('5')
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft.more })
      expect(at.counter.used).toBe(10)
      await at.handler.uploads.terminate(idOf(other))
      const last = await draft.append(url, 5, ' world', draft.end)
      expect(last.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      expect(at.counter.used).toBe(11)
      expect(await download(url)).toBe('hello world')
    },
  )

  test.each(versions)(
    'whose end does not fit are incomplete, and continue once there is space, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const url = await draft.started(at, 'hello')
      const other = await createOf(at, 2)
      const refused = await draft.append(url, 5, ' world', draft.end)
      expectFull(refused, version)
      expect(refused.headers['upload-offset']).toBe('5')
      expect(await at.handler.uploads.finishPending()).toBe(0)
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft.more })
      expect(at.counter.used).toBe(7)
      await at.handler.uploads.terminate(idOf(other))
      const again = await draft.append(url, 5, ' world', draft.end)
      expect(again.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
    },
  )

  test.each(versions)(
    'with a chunked body keep the bytes that arrived before the space ran out, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const url = await draft.started(at, '')
      const sent = draft.appending(url, 0, '12345', { ...draft.end, ...chunked })
      const { request, reply } = openRequest(sent)
      await untilStored(at, url, 5)
      request.write('12345')
      await untilStored(at, url, 10)
      request.write('12345')
      const refused = await reply
      request.destroy()
      expectFull(refused, version)
      expect(refused.headers['upload-offset']).toBe('10')
      expect(at.counter.used).toBe(10)
      expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '10', ...draft.more })
      expect((await draft.append(url, 10, '1', draft.end)).headers).toMatchObject(draft.end)
    },
  )

  test('created by a chunked body that does not fit can be resumed', async () => {
    const at = await site()
    const sent = draft9.creation(at, '12345', { ...draft9.end, ...chunked })
    const { request, reply } = openRequest(sent)
    const records = await until(
      () => recordsOf(at.composer),
      ({ length }) => length === 1,
    )
    await untilStored(at, records[0]!.id, 5)
    request.write('1234567')
    const refused = await reply
    request.destroy()
    expectFull(refused, 9)
    expect(refused.headers['upload-offset']).toBe('5')
    const url = urlIn(refused, at)
    expect(at.counter.used).toBe(5)
    expect((await draft9.append(url, 5, ' world', draft9.end)).headers).toMatchObject(draft9.end)
  })

  test('free their space when an overrun ends them', async () => {
    const at = await site()
    const url = await draft9.started(at, 'hello', { 'upload-length': '6' })
    const reply = await draft9.append(url, 5, ' world', { ...draft9.end, ...chunked })
    expect([reply.status, at.counter.used]).toEqual([400, 0])
    await draft9.started(at, '', { 'upload-length': '11' })
  })

  test('that are rejected need no more than they have', async () => {
    const at = await site({
      progressInterval: 1,
      hooks: { postReceive: () => ({ stop: { status: 422 } }) },
    })
    const url = await draft9.started(at, '', { 'upload-length': '11' })
    const sent = draft9.appending(url, 0, 'hello', { ...draft9.end, 'content-length': '11' })
    const { request, reply } = openRequest(sent)
    expect((await reply).status).toBe(422)
    request.destroy()
    expect(at.counter.used).toBe(5)
    expect((await tryToCreate(at, 6)).status).toBe(201)
  })

  test('share the space with tus uploads', async () => {
    const at = await site()
    const draft = await draft9.started(at, 'hello')
    const other = await createUpload(at, deferred)
    expect((await patch(other, 0, '12345')).status).toBe(204)
    expectFull(await draft9.append(draft, 5, '12', draft9.more), 9)
    const refused = await patch(other, 5, '12')
    expect([refused.status, refused.headers['upload-offset']]).toEqual([507, '5'])
    expectFull(await draft9.create(at, '12', draft9.end), 9)
    expect((await tryToCreate(at, 2)).status).toBe(507)
    expect((await draft9.append(draft, 5, '1', draft9.end)).headers).toMatchObject(draft9.end)
    expect((await patch(other, 5, '1')).status).toBe(507)
    expect(at.counter.used).toBe(11)
    expect((await draft9.ask('DELETE', draft)).status).toBe(204)
    expect((await patch(other, 5, '123456')).status).toBe(204)
    expect(at.counter.used).toBe(11)
  })

  test('never exceed the limit together with tus uploads that are created at the same moment', async () => {
    const at = await serveLimited({ ...(await open()), limit: 100 })
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        i % 2 === 0
          ? tryToCreate(at, 9)
          : draft9.create(at, '', { ...draft9.more, 'upload-length': '9' }),
      ),
    )
    const statuses = replies.map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(11)
    expect(statuses.filter((status) => status === 507)).toHaveLength(19)
    expect(at.counter.used).toBe(99)
  })

  test('are counted by the next server with what they have or were promised', async () => {
    const stores = await open()
    const first = await serveLimited(stores)
    const known = await draft9.started(first, 'he', { 'upload-length': '5' })
    const unknown = await draft9.started(first, 'hel')
    const next = await serveLimited(stores)
    expect((await tryToCreate(next, 4)).status).toBe(507)
    expect(next.counter.used).toBe(8)
    const there = (url: string) => url.replace(first.origin, next.origin)
    expectFull(await draft9.append(there(unknown), 3, '1234', draft9.more), 9)
    expect((await draft9.append(there(unknown), 3, 'lo!', draft9.end)).headers).toMatchObject(
      draft9.end,
    )
    expect((await draft9.append(there(known), 2, 'llo', draft9.end)).headers).toMatchObject(
      draft9.end,
    )
    expect(next.counter.used).toBe(11)
  })

  test('evict others, and can be evicted', async () => {
    const calls: Shortage[] = []
    const victims: string[] = []
    const evict = async (shortage: Shortage) => {
      calls.push(shortage)
      await at.handler.uploads.terminate(victims.shift()!)
    }
    const at: LimitedSite = await serveLimited({ ...(await open()), evict })
    const tus = await createOf(at, 11)
    victims.push(idOf(tus))
    const url = await draft9.started(at, '', { 'upload-length': '6' })
    expect(calls).toEqual([{ id: idOf(url), missing: 6 }])
    const unknown = await draft9.started(at, 'hello')
    victims.push(idOf(url))
    const last = await draft9.append(unknown, 5, ' world', { ...draft9.end, ...chunked })
    expect(last.headers).toMatchObject({ 'upload-offset': '11', ...draft9.end })
    expect(calls.at(-1)).toEqual({ id: idOf(unknown), missing: 6 })
    expect((await draft9.ask('HEAD', url)).status).toBeOneOf(gone)
    // A complete one frees space as well.
    victims.push(idOf(unknown))
    expect((await tryToCreate(at, 11)).status).toBe(201)
    expect((await draft9.ask('HEAD', unknown)).status).toBeOneOf(gone)
    expect(at.counter.used).toBe(11)
  })
})

test('the limit of all uploads is not advertised as that of one', async () => {
  const at = await serveLimited(inMemory(), { maxSize: 8 })
  const url = await draft9.started(at, 'hello')
  expect(limitIn({ headers: await draft9.stateOf(url) }, 'max-size')).toBe(8)
  const unlimited = await serveLimited(inMemory())
  const reply = await draft9.create(unlimited, '', draft9.more)
  expect(reply.headers['upload-limit']).toBe('min-size=0')
})
