import { expect, test } from 'vitest'
import { MemoryLocker } from 'tuskit/memory-store'
import { createUpload, head, memoryComposer, patch, serve } from '../support/serve.js'
import { newGate } from '../support/stages.js'

test('a HEAD that overtakes the last byte does not report the end before preFinish has decided', async () => {
  const lookup = newGate()
  const locker = new MemoryLocker()
  const composer = memoryComposer().useLocker({
    acquire: (id, options) => locker.acquire(id, options),
    // As when the holder declined while bytes still arrived, and the last of them is stored now.
    settle: async () => 'held',
  })
  const site = await serve({
    composer,
    hooks: {
      async preFinish() {
        await lookup.pass()
        return { reject: true }
      },
    },
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  const patched = patch(url, 0, 'hello')
  await lookup.reached
  const early = head(url)
  // If it does not wait, its response comes before that of a later request.
  await head(await createUpload(site))
  lookup.open()
  expect((await early).status).toBe(400)
  expect((await patched).status).toBe(400)
})
