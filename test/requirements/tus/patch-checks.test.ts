import { createHash } from 'node:crypto'
import type { HandlerOptions } from 'tuskit'
import { describe, expect, test } from 'vitest'
import {
  createUpload,
  download,
  head,
  offsetOf,
  openPatch,
  patch,
  serve,
  type Site,
  stores,
  untilOffset,
} from '../../support/serve.js'
import { silent } from '../../support/silent.js'

describe.each(stores)('$store store', ({ compose }) => {
  async function site(options: Partial<HandlerOptions> = {}): Promise<Site> {
    return serve({ composer: await compose(), takeoverAfter: 60_000, logger: silent, ...options })
  }

  test('T-066 of two concurrent chunks at one offset, one is stored', async () => {
    const url = await createUpload(await site(), { 'upload-length': '200000' })
    const texts = ['a', 'b'].map((letter) => letter.repeat(200_000))
    const results = await Promise.all(
      texts.map((text) =>
        patch(url, 0, text).then(
          ({ status }) => status,
          (error: NodeJS.ErrnoException) => error.code,
        ),
      ),
    )
    const stored = Number(await offsetOf(url))
    for (const result of results) expect(result).toBeOneOf([204, 409, 423, 'ECONNRESET', 'EPIPE'])
    expect(results.filter((result) => result === 204).length).toBeLessThan(2)
    if (stored < 200_000) expect(results).not.toContain(204)
    // Another letter in the rest shows whose chunk is stored, even if only in part.
    if (stored < 200_000) await patch(url, stored, 'c'.repeat(200_000 - stored))
    expect(await download(url)).toMatch(stored < 200_000 ? /^(a*|b*)c+$/ : /^(a+|b+)$/)
  })

  test('T-066 the later of two PATCHes takes over after the bytes of the earlier one', async () => {
    const url = await createUpload(await site())
    const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
    request.write('hello')
    await untilOffset(url, 5)
    const late = await patch(url, 7, 'rld')
    expect([late.status, late.headers['upload-offset']]).toEqual([409, '5'])
    await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })
})

test('T-065 of several errors, the first in the order is reported', async () => {
  const site = await serve({ maxSize: 1_000 })
  const url = await createUpload(site, { 'upload-defer-length': '1' })
  await patch(url, 0, 'hello')
  const partial = await createUpload(site, { 'upload-length': '0', 'upload-concat': 'partial' })
  const final = await createUpload(site, { 'upload-concat': `final;${new URL(partial).pathname}` })
  const missing = `${site.origin}/files/unknown`
  const creation = `${site.origin}/files`
  const impossible = `${site.origin}/files/a/b`

  const mistakes = {
    version: { 'tus-resumable': '0.2.2' },
    type: { 'content-type': 'text/plain' },
    syntax: { 'upload-offset': 'x' },
    offset: { 'upload-offset': '3' },
    deferral: { 'upload-defer-length': '2' },
    length: { 'upload-length': 'x' },
    small: { 'upload-length': '4' },
    large: { 'upload-length': '1001' },
    size: { 'upload-length': '6' },
    checksum: { 'upload-checksum': 'sha2 x' },
    mismatch: { 'upload-checksum': `sha1 ${createHash('sha1').update('').digest('base64')}` },
  }
  type Mistake = keyof typeof mistakes
  const statusOf = async (to: string, ...made: Mistake[]) => {
    const headers = Object.assign({}, ...made.map((mistake) => mistakes[mistake]))
    return (await patch(to, 5, ' world', headers)).status
  }
  const { type, syntax, ...others } = mistakes
  const judged = Object.keys(others).filter((name) => name !== 'version' && name !== 'offset')
  const rest = [...judged, 'offset'] as Mistake[]
  expect(Object.keys({ type, syntax })).toEqual(['type', 'syntax'])

  expect(await statusOf(impossible, 'version', 'type', 'syntax', ...rest)).toBe(404)
  expect(await statusOf(missing, 'version', 'type', 'syntax', ...rest)).toBe(412)
  expect(await statusOf(creation, 'version', 'type', 'syntax', ...rest)).toBe(412)
  expect(await statusOf(creation, 'type', 'syntax', ...rest)).toBe(405)
  expect(await statusOf(missing, 'type', 'syntax')).toBe(415)
  expect(await statusOf(missing, 'syntax')).toBe(400)
  for (const mistake of rest)
    expect([mistake, await statusOf(missing, mistake)]).toEqual([mistake, 404])
  for (const mistake of rest)
    expect([mistake, await statusOf(final, mistake)]).toEqual([mistake, 403])
  for (const mistake of rest) {
    expect([mistake, await statusOf(url, mistake, 'offset')]).toEqual([mistake, 409])
  }
  expect(await statusOf(url, 'deferral', 'checksum')).toBe(400)
  expect(await statusOf(url, 'length', 'checksum')).toBe(400)
  expect(await statusOf(url, 'small', 'checksum')).toBe(400)
  expect(await statusOf(url, 'large', 'checksum')).toBe(413)
  expect(await statusOf(url, 'size', 'checksum')).toBe(413)
  expect((await head(url)).headers).toMatchObject({
    'upload-offset': '5',
    'upload-defer-length': '1',
  })
  const short = (headers: object) => patch(url, 5, '!', { ...mistakes.size, ...headers })
  expect((await short(mistakes.checksum)).status).toBe(400)
  expect((await head(url)).headers).toMatchObject({ 'upload-offset': '5', 'upload-length': '6' })
  expect((await short(mistakes.mismatch)).status).toBe(460)
  expect((await short({})).status).toBe(204)
})

test('T-065 the offset is checked before the body arrives', async () => {
  const url = await createUpload(await serve())
  const { request, reply } = openPatch(url, 3, { 'content-length': '5' })
  expect((await reply).status).toBe(409)
  request.destroy()
})
