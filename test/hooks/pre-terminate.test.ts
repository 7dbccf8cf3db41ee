import { describe, expect, test } from 'vitest'
import { createUpload, remove, serve, until, idOf } from '../support/serve.js'
import { offsetOf } from '../support/stages.js'

describe('pre-terminate', () => {
  test('refuses, and the upload remains', async () => {
    const site = await serve({ hooks: { preTerminate: () => ({ reject: true }) } })
    const url = await createUpload(site)
    expect((await remove(url)).status).toBe(400)
    expect(await offsetOf(url)).toBe(0)
    await expect(site.handler.uploads.terminate(idOf(url))).rejects.toMatchObject({
      code: 'ERR_REJECTED',
    })
  })

  test('does not run before expiry', async () => {
    const site = await serve({
      expiration: { after: 1 },
      hooks: { preTerminate: () => ({ reject: true }) },
    })
    await createUpload(site)
    await until(
      () => site.handler.uploads.removeExpired(),
      (removed) => removed === 1,
    )
  })
})
