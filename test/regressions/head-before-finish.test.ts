import { expect, test } from 'vitest'
import { MemoryLocker } from 'tuskit/memory-store'
import { createUpload, head, memoryComposer, patch, serve } from '../support/serve.js'
import { newGate } from '../support/stages.js'

test('a HEAD that overtakes the last byte does not tell of the end before the verdict', async () => {
  const asked = newGate()
  const locker = new MemoryLocker()
  const composer = memoryComposer().useLocker({
    acquire: (id, options) => locker.acquire(id, options),
    // As when the holder declined while bytes still came in, and the last of them is stored now.
    settle: async () => 'held',
  })
  const site = await serve({
    composer,
    hooks: {
      async preFinish() {
        await asked.pass()
        return { reject: true }
      },
    },
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  const patched = patch(url, 0, 'hello')
  await asked.reached
  const early = head(url)
  // Its answer, if it does not wait, is there before that of a request that comes after it.
  await head(await createUpload(site))
  asked.open()
  expect((await early).status).toBe(400)
  expect((await patched).status).toBe(400)
})
