import { expect, test } from 'vitest'
import type { Locker } from 'tuskit'
import { MemoryLocker } from 'tuskit/memory-store'
import { createUpload, memoryComposer, openPatch, patch, serve, until } from '../support/serve.js'
import { noAbort, download, keptLog, offsetOf } from '../support/stages.js'

/** A locker that takes the lock away from its holder on request. */
function losingLocker(): Locker & { lose(reported: boolean): void } {
  const inner = new MemoryLocker()
  let take: (reported: boolean) => void = () => {}
  return {
    async acquire(id, options) {
      const lock = await inner.acquire(id, options)
      const lost = new AbortController()
      let held = true
      take = (reported) => {
        held = false
        if (reported) lost.abort(new Error('lost'))
      }
      return {
        token: lock.token,
        forced: lock.forced,
        shutOut: () => lock.shutOut(),
        held: () => held && lock.held(),
        lost: lost.signal,
        release: () => lock.release(),
      }
    },
    settle: (id, options) => inner.settle(id, options),
    lose: (reported) => take(reported),
  }
}

test('a request that lost the lock writes no record, even before it is notified', async () => {
  const locker = losingLocker()
  const composer = memoryComposer().useLocker(locker)
  let times = 0
  const site = await serve({
    composer,
    logger: keptLog(),
    hooks: {
      preFinish() {
        if (++times === 1) locker.lose(false)
        return { response: { status: 200, body: `time ${times}` } }
      },
    },
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  const { infoStore } = composer.slots()
  const first = await patch(url, 0, 'hello')
  expect([first.status, first.headers['upload-offset']]).toEqual([503, undefined])
  expect((await infoStore!.get(url.split('/').at(-1)!, noAbort))?.state.kind).toBe('open')
  expect((await patch(url, 5, '')).text).toBe('time 2')
})

test('a request that lost the lock is cut, and stores nothing more', async () => {
  const locker = losingLocker()
  const site = await serve({ composer: memoryComposer().useLocker(locker), logger: keptLog() })
  const url = await createUpload(site, { 'upload-length': '10' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  await until(
    () => offsetOf(url),
    (offset) => offset === 5,
  )
  locker.lose(true)
  await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect(await offsetOf(url)).toBe(5)
  expect((await patch(url, 5, 'world')).status).toBe(204)
  expect((await download(url)).toString()).toBe('helloworld')
})
