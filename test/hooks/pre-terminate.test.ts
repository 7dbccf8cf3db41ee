import { describe, expect, test } from 'vitest'
import { createUpload, remove, serve, until, idOf } from '../support/serve.js'
import { keptLog, offsetOf } from '../support/stages.js'

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

  test('chooses the response', async () => {
    const responses = [{ headers: { 'x-bin': 'yes' } }, { body: 'removed' }, { status: 202 }]
    const site = await serve({ hooks: { preTerminate: () => ({ response: responses.shift()! }) } })
    const removed = async () => remove(await createUpload(site))
    const plain = await removed()
    expect([plain.status, plain.headers['x-bin']]).toEqual([204, 'yes'])
    expect(await removed()).toMatchObject({ status: 200, text: 'removed' })
    expect(await removed()).toMatchObject({ status: 202, text: '' })
  })

  test.each([{ status: 404 }, { headers: { 'bad name': 'x' } }])(
    'fails with a response that is no success or cannot be sent: %j',
    async (response) => {
      const site = await serve({
        hooks: { preTerminate: () => ({ response }) },
        logger: keptLog(),
      })
      const url = await createUpload(site)
      expect((await remove(url)).status).toBe(500)
      expect(await offsetOf(url)).toBe(0)
    },
  )

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
