import { describe, expect, test } from 'vitest'
import {
  createUpload,
  head,
  memoryComposer,
  openPatch,
  patch,
  serve,
  until,
} from '../support/serve.js'

describe('post-receive', () => {
  test('stops an upload permanently', async () => {
    const site = await serve({
      progressInterval: 1,
      idleTimeout: 60_000,
      hooks: {
        postReceive: ({ offset }) =>
          offset > 0 ? { stop: { status: 422, body: 'not a picture' } } : undefined,
      },
    })
    const url = await createUpload(site, { 'upload-length': '1000000' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '1000000' })
    request.write('hello')
    const stopped = await reply
    expect([stopped.status, stopped.text]).toEqual([422, 'not a picture'])
    expect((await head(url)).status).toBe(422)
    expect((await patch(url, 5, 'more')).status).toBe(422)
  })

  test('gets stored offsets, in ascending order, one at a time', async () => {
    const offsets: number[] = []
    let running = 0
    const { signal } = new AbortController()
    const composer = memoryComposer()
    const site = await serve({
      composer,
      progressInterval: 1,
      hooks: {
        async postReceive({ offset, upload }) {
          expect(++running).toBe(1)
          const stored = await composer.slots().dataStore!.stat(upload, { signal })
          expect(stored.offset).toBeGreaterThanOrEqual(offset)
          offsets.push(offset)
          running--
        },
      },
    })
    const url = await createUpload(site, { 'upload-length': '100' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '100' })
    for (let sent = 0; sent < 100; sent += 10) {
      request.write('0123456789')
      await until(
        async () => offsets,
        (offsets) => (offsets.at(-1) ?? 0) >= sent + 10 || sent === 90,
      )
    }
    request.end()
    expect((await reply).status).toBe(204)
    expect(offsets.length).toBeGreaterThanOrEqual(9)
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b))
  })
})
