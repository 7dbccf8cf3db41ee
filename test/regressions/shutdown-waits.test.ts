import { expect, test } from 'vitest'
import { MemoryLocker } from 'tuskit/memory-store'
import { memoryComposer, post, serve } from '../support/serve.js'
import { newGate } from '../support/stages.js'

test('shutdown waits for a request that has not reached its upload yet', async () => {
  const slow = newGate()
  const site = await serve({ hooks: { preCreate: () => slow.pass() } })
  const done: string[] = []
  const reply = post(site, { 'upload-length': '5' }, 'hello')
  await slow.reached
  const shutdown = site.handler.shutdown().then(() => done.push('shutdown'))
  await site.handler.uploads.inspect('none').catch(() => done.push('something else'))
  slow.open()
  await shutdown
  expect(done).toEqual(['something else', 'shutdown'])
  // All of its bytes had arrived already.
  const { status, headers } = await reply
  expect([status, headers['upload-offset']]).toEqual([201, '5'])
})

test('shutdown waits until the last lock is released', async () => {
  const releasing = newGate()
  const locker = new MemoryLocker()
  const done: string[] = []
  const composer = memoryComposer().useLocker({
    settle: (id, options) => locker.settle(id, options),
    async acquire(id, options) {
      const lock = await locker.acquire(id, options)
      return {
        token: lock.token,
        forced: lock.forced,
        lost: lock.lost,
        shutOut: () => lock.shutOut(),
        held: () => lock.held(),
        async release() {
          await releasing.pass()
          await lock.release()
          done.push('release')
        },
      }
    },
  })
  const site = await serve({ composer })
  const reply = post(site, { 'upload-length': '5' })
  await releasing.reached
  const shutdown = site.handler.shutdown().then(() => done.push('shutdown'))
  await site.handler.uploads.inspect('none').catch(() => done.push('something else'))
  releasing.open()
  await Promise.all([shutdown, reply])
  expect(done).toEqual(['something else', 'release', 'shutdown'])
})
