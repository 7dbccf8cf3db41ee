import { expect, test } from 'vitest'
import type { DataStore, Locker } from 'tuskit'
import { MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import { createUpload, memoryComposer, patch, send, serve, tus } from '../support/serve.js'

/** Passes on a copy of the options, like a store that adds its own. */
function copying(inner: DataStore): DataStore {
  return {
    maxSize: inner.maxSize,
    locate: (upload) => inner.locate(upload),
    create: (upload, options) => inner.create(upload, { ...options }),
    stat: (upload, options) => inner.stat(upload, { ...options }),
    append: (upload, from, body, options) => inner.append(upload, from, body, { ...options }),
  }
}

test('stores and lockers get plain objects as options', async () => {
  const composer = memoryComposer()
  const slots = new MemoryStore()
  slots.useIn(composer)
  composer.useDataStore(copying(slots))
  const inner = new MemoryLocker()
  const given: object[] = []
  const locker: Locker = {
    acquire: (id, options) => inner.acquire(id, { ...options }),
    settle(id, options) {
      given.push(options)
      return inner.settle(id, { ...options })
    },
  }
  composer.useLocker(locker)
  const site = await serve({ composer })
  const url = await createUpload(site, { 'upload-length': '5' })
  expect((await send({ method: 'HEAD', url, headers: tus })).status).toBe(200)
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  expect((await send({ method: 'HEAD', url, headers: tus })).headers['upload-offset']).toBe('5')
  expect((await send({ method: 'GET', url })).text).toBe('hello')
  expect(given.map(Object.keys)).toEqual(given.map(() => ['signal']))
})
