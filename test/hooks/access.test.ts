import { describe, expect, test } from 'vitest'
import type { AccessAction } from 'tuskit'
import {
  createUpload,
  head,
  memoryComposer,
  openPatch,
  patch,
  post,
  remove,
  send,
  serve,
  until,
  type Reply,
  idOf,
} from '../support/serve.js'
import { offsetOf } from '../support/stages.js'

describe('access', () => {
  /** A site whose hook refuses one action. */
  const refusing = (action: AccessAction) =>
    serve({
      hooks: { access: (call) => (call.action === action ? { reject: true } : undefined) },
    })

  test.each<[AccessAction, (url: string, origin: string) => Promise<Reply>]>([
    ['create', (_, origin) => post({ origin }, { 'upload-length': '1' })],
    ['inspect', (url) => head(url)],
    ['append', (url) => patch(url, 0, 'hello')],
    ['terminate', (url) => remove(url)],
    ['read', (url) => send({ method: 'GET', url })],
    ['concatenate', (url, origin) => post({ origin }, { 'upload-concat': `final;${url}` })],
  ])('refuses %s', async (action, request) => {
    const site = await refusing(action)
    const composed =
      action === 'create'
        ? `${site.origin}/files/none`
        : await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
    const reply = await request(composed, site.origin)
    expect(reply.status).toBe(403)
    if (action !== 'create') {
      const id = idOf(composed)
      expect((await site.handler.uploads.inspect(id)).offset).toBe(0)
    }
  })

  test('runs once for a final upload and once for each of its parts', async () => {
    const calls: [AccessAction, string | undefined][] = []
    const site = await serve({
      hooks: { access: ({ action, upload }) => void calls.push([action, upload?.id]) },
    })
    const urls: string[] = []
    for (const text of ['a', 'b']) {
      const headers = { 'upload-length': '1', 'upload-concat': 'partial' }
      urls.push((await post(site, headers, text)).headers.location!)
    }
    calls.length = 0
    const [a, b] = urls
    const reply = await post(site, { 'upload-concat': `final;${a} ${b} ${a}` })
    expect(reply.status).toBe(201)
    expect(calls).toEqual([
      ['create', undefined],
      ['concatenate', idOf(a!)],
      ['concatenate', idOf(b!)],
    ])
  })

  test('does not run for OPTIONS', async () => {
    const site = await serve({ hooks: { access: () => ({ reject: true }) } })
    const { status } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
    expect(status).toBe(200)
  })

  test('determines the response', async () => {
    const site = await serve({
      hooks: {
        access: () => ({
          reject: { status: 401, headers: { 'www-authenticate': 'Basic' }, body: 'who?' },
        }),
      },
    })
    const { status, headers, text } = await post(site, { 'upload-length': '1' })
    expect([status, headers['www-authenticate'], text]).toEqual([401, 'Basic', 'who?'])
  })

  test('runs before rejections and tombstones are revealed, since not every client may see them', async () => {
    const composer = memoryComposer()
    const first = await serve({ composer, hooks: { preFinish: () => ({ reject: true }) } })
    const url = await createUpload(first, { 'upload-length': '5' })
    expect((await patch(url, 0, 'hello')).status).toBe(400)
    const second = await serve({ composer, hooks: { access: () => ({ reject: true }) } })
    const again = url.replace(first.origin, second.origin)
    for (const reply of [
      head(again),
      patch(again, 5, ''),
      remove(again),
      send({ method: 'GET', url: again }),
    ]) {
      expect((await reply).status).toBe(403)
    }
  })

  test('refuses before the body is read, and before a running request is ended', async () => {
    let allowed = true
    const site = await serve({
      idleTimeout: 60_000,
      takeoverAfter: 60_000,
      hooks: {
        access: () => (allowed ? undefined : { reject: true }),
      },
    })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
    request.write('hello')
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    allowed = false
    expect((await patch(url, 5, 'world')).status).toBe(403)
    expect((await remove(url)).status).toBe(403)
    request.end('world')
    expect((await reply).status).toBe(204)
  })
})
