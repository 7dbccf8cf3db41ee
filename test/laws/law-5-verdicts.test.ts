import { describe, expect, test } from 'vitest'
import type { Hooks } from 'tuskit'
import { chunk, createUpload, head, patch, send, serve, idOf } from '../support/serve.js'
import { keptLog, media, offsetOf } from '../support/stages.js'

describe.each(media)('with %s, a result of preFinish', (_, compose) => {
  test('that rejects is replayed, and the hook is not asked again', async () => {
    let calls = 0
    const site = await serve({
      composer: await compose(),
      hooks: {
        preFinish() {
          calls++
          return {
            reject: { status: 422, headers: { 'x-verdict': 'virus' }, body: 'not this' },
          }
        },
      },
    })
    const url = await createUpload(site, { 'upload-length': '5' })
    const replies = [
      await patch(url, 0, 'hello'),
      await patch(url, 5, ''),
      await send({ method: 'GET', url }),
      await head(url),
    ]
    for (const { status, headers } of replies) {
      expect([status, headers['x-verdict'], headers['upload-offset']]).toEqual([
        422,
        'virus',
        undefined,
      ])
    }
    expect(replies.map(({ text }) => text)).toEqual(['not this', 'not this', 'not this', ''])
    expect(calls).toBe(1)
  })

  test('of a creation with all bytes is replayed, too', async () => {
    const site = await serve({
      composer: await compose(),
      hooks: { preFinish: () => ({ reject: true }) },
    })
    const reply = await send({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { ...chunk, 'upload-length': '5' },
      body: 'hello',
    })
    expect(reply.status).toBe(400)
    const url = site.origin + reply.headers.location
    expect((await head(url)).status).toBe(400)
    expect((await patch(url, 5, '')).status).toBe(400)
  })

  test('that chooses the response is replayed', async () => {
    let calls = 0
    const site = await serve({
      composer: await compose(),
      hooks: {
        preFinish() {
          calls++
          return { response: { status: 200, headers: { 'x-file': '7' }, body: '{"file":7}' } }
        },
      },
    })
    const url = await createUpload(site, { 'upload-length': '5' })
    for (const reply of [await patch(url, 0, 'hello'), await patch(url, 5, '')]) {
      expect([reply.status, reply.headers['x-file'], reply.text]).toEqual([200, '7', '{"file":7}'])
      expect(reply.headers['upload-offset']).toBe('5')
    }
    expect(await offsetOf(url)).toBe(5)
    expect(calls).toBe(1)
  })

  test('survives a restart', async () => {
    const composer = await compose()
    const hooks: Hooks = { preFinish: () => ({ reject: { status: 451, body: 'no' } }) }
    const site = await serve({ composer, hooks })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect((await patch(url, 0, 'hello')).status).toBe(451)
    const next = await serve({ composer })
    const again = await patch(url.replace(site.origin, next.origin), 5, '')
    expect([again.status, again.text]).toEqual([451, 'no'])
  })
})

test('a preFinish hook that throws runs again, with the same event id', async () => {
  const events: string[] = []
  const site = await serve({
    logger: keptLog(),
    hooks: {
      preFinish({ event }) {
        events.push(event.id)
        if (events.length === 1) throw new Error('database is down')
      },
    },
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  const first = await patch(url, 0, 'hello')
  expect([first.status, first.headers['upload-offset']]).toEqual([500, undefined])
  expect(await offsetOf(url)).toBe(5)
  const id = `${idOf(url)}/pre-finish`
  expect(events).toEqual([id, id])
})
