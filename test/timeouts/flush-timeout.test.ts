import { describe, expect, test, vi } from 'vitest'
import {
  createUpload,
  download,
  head,
  memoryComposer,
  openPatch,
  patch,
  serve,
} from '../support/serve.js'
import { keptLog, storeWith } from '../support/stages.js'

describe.each(['at its end', 'before it asks for more'])('a write that hangs %s', (where) => {
  /** A fake store whose first write hangs as in the kernel, and ignores its signal. */
  async function hangingSite() {
    const composer = memoryComposer()
    const store = composer.slots().dataStore!
    let wake!: () => void
    const woken = new Promise<void>((resolve) => (wake = resolve))
    let hangs = true
    const aborted = vi.fn()
    const hanging = storeWith(store, {
      async append(upload, from, body, options) {
        if (!hangs) return store.append(upload, from, body, options)
        hangs = false
        options.signal.addEventListener('abort', aborted)
        if (where === 'at its end') {
          const stored = await store.append(upload, from, body, options)
          await woken
          return stored
        }
        await woken
        return store.append(upload, from, body, options)
      },
    })
    composer.useDataStore(hanging)
    const log = keptLog()
    const [storeTimeout, idleTimeout] = [100, 100]
    const limits = { flushTimeout: 100, storeTimeout, idleTimeout, lockTimeout: 100 }
    const site = await serve({ composer, logger: log, ...limits })
    return { site, wake, aborted, log }
  }

  test('gets a response in time, and the lock is held until the write settles', async () => {
    const { site, wake, aborted, log } = await hangingSite()
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    if (where === 'at its end') request.end('world')
    const { status, text, headers } = await reply
    expect([status, text.split(':')[0]]).toEqual([503, 'ERR_FLUSH_TIMEOUT'])
    expect(headers['retry-after']).toMatch(/^\d+$/)
    expect(aborted).toHaveBeenCalledOnce()
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: 'A store does not respond' }),
    )
    request.destroy()
    // Readers do not wait for it; writers do.
    expect((await head(url)).status).toBe(200)
    expect((await patch(url, 0, 'helloworld')).status).toBe(423)
    wake()
    const offset = await vi.waitFor(async () => {
      const at = Number((await head(url)).headers['upload-offset'])
      const left = 'helloworld'.slice(at)
      if (left !== '') expect((await patch(url, at, left)).status).toBe(204)
      return at
    })
    expect(offset).toBeLessThanOrEqual(10)
    expect(await download(url)).toBe('helloworld')
  })
})
