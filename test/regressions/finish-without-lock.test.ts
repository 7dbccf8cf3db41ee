import { expect, test } from 'vitest'
import { MemoryLocker } from 'tuskit/memory-store'
import { createUpload, head, memoryComposer, patch, serve } from '../support/serve.js'
import { storeWith } from '../support/stages.js'

test('a request that lost the lock while storing does not run preFinish', async () => {
  const locker = new MemoryLocker()
  let lost = false
  const composer = memoryComposer().useLocker({
    settle: (id, options) => locker.settle(id, options),
    async acquire(id, options) {
      const lock = await locker.acquire(id, options)
      return {
        token: lock.token,
        forced: lock.forced,
        lost: lock.lost,
        shutOut: () => lock.shutOut(),
        // A process that was suspended past its lease knows before any timer has run.
        held: () => !lost && lock.held(),
        release: () => lock.release(),
      }
    },
  })
  const store = composer.slots().dataStore!
  composer.useDataStore(
    storeWith(store, {
      async append(upload, from, body, options) {
        const stored = await store.append(upload, from, body, options)
        lost = true
        return stored
      },
    }),
  )
  const events: string[] = []
  const site = await serve({
    composer,
    hooks: { preFinish: ({ event }) => void events.push(event.id) },
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  const reply = await patch(url, 0, 'hello')
  expect([reply.status, reply.text]).toEqual([503, expect.stringContaining('ERR_LOCK_LOST')])
  expect(events).toEqual([])

  lost = false
  expect((await head(url)).headers['upload-offset']).toBe('5')
  expect(events.length).toBe(1)
})
