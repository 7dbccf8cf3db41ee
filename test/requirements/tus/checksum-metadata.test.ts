import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createHandler, StoreComposer } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { createUpload, download, head, patch, post, serve, stores } from '../../support/serve.js'
import { createPartial } from './parts.js'

const text = 'hello world'
const sha256 = (encoding: 'hex' | 'base64', of = text) =>
  `sha256 ${createHash('sha256').update(of).digest(encoding)}`
const checksumMetadata = 'checksum'

const saying = (value: string) => ({
  'upload-metadata': `checksum ${Buffer.from(value).toString('base64')}`,
})

const codeOf = (reply: { status: number; text: string }) => [
  reply.status,
  reply.text.split(':', 1)[0],
]

describe.each(stores)(
  'a checksum of the whole content in the metadata ($store store)',
  ({ compose }) => {
    test.each([
      ['sha256 in Base64', sha256('base64')],
      ['sha256 in hexadecimal digits', sha256('hex')],
      ['sha256 in upper case', sha256('hex').toUpperCase().replace('SHA', 'sha')],
      ['crc32c', 'crc32c c99465aa'],
      ['crc32c in Base64', 'crc32c yZRlqg=='],
    ])('T-141 a match changes nothing: %s', async (_, value) => {
      const site = await serve({ composer: await compose(), checksumMetadata })
      const url = await createUpload(site, { 'upload-length': '11', ...saying(value) })
      expect((await patch(url, 0, 'hello')).status).toBe(204)
      expect((await patch(url, 5, ' world')).status).toBe(204)
      expect((await head(url)).headers['upload-offset']).toBe('11')
      expect(await download(url)).toBe(text)
    })

    test('T-141 a mismatch records a rejection before pre-finish runs', async () => {
      const composer = await compose()
      const finishing: string[] = []
      const hooks = {
        preFinish: ({ upload }: { upload: { id: string } }) => void finishing.push(upload.id),
      }
      const site = await serve({ composer, checksumMetadata, hooks })
      const other = saying(sha256('hex', 'hello'))
      const url = await createUpload(site, { 'upload-defer-length': '1', ...other })
      expect((await patch(url, 0, 'hello')).status).toBe(204)
      const last = await patch(url, 5, ' world', { 'upload-length': '11' })
      expect(codeOf(last)).toEqual([400, 'ERR_DIGEST_MISMATCH'])
      const again = await serve({ composer })
      const there = url.replace(site.origin, again.origin)
      expect(codeOf(await patch(there, 11, ''))).toEqual([400, 'ERR_DIGEST_MISMATCH'])
      expect((await head(there)).status).toBe(400)
      const whole = await post(site, { 'upload-length': '11', ...other }, text)
      expect(codeOf(whole)).toEqual([400, 'ERR_DIGEST_MISMATCH'])
      expect(finishing).toEqual([])
    })

    test('T-141 the checksum is verified for a final upload, and not for its parts', async () => {
      const site = await serve({ composer: await compose(), checksumMetadata })
      const parts = [await createPartial(site, 'hello')]
      const partial = { 'upload-length': '6', 'upload-concat': 'partial', ...saying(sha256('hex')) }
      const last = await createUpload(site, partial)
      expect((await patch(last, 0, ' world')).status).toBe(204)
      parts.push(last)
      const concat = { 'upload-concat': `final;${parts.join(' ')}` }
      const good = await createUpload(site, { ...concat, ...saying(sha256('hex')) })
      expect(await download(good)).toBe(text)
      const bad = await post(site, { ...concat, ...saying(sha256('hex', 'hello')) })
      expect(codeOf(bad)).toEqual([400, 'ERR_DIGEST_MISMATCH'])
    })
  },
)

test.each([
  ['', 'ERR_UNSUPPORTED_CHECKSUM'],
  [sha256('hex').slice(7), 'ERR_UNSUPPORTED_CHECKSUM'],
  [sha256('hex').replace('sha', 'SHA'), 'ERR_UNSUPPORTED_CHECKSUM'],
  ['constructor AAAA', 'ERR_UNSUPPORTED_CHECKSUM'],
  ['sha256', 'ERR_INVALID_CHECKSUM'],
  ['sha256 ', 'ERR_INVALID_CHECKSUM'],
  [sha256('hex').slice(0, -1), 'ERR_INVALID_CHECKSUM'],
  [`${sha256('hex').slice(0, -1)}g`, 'ERR_INVALID_CHECKSUM'],
  [`${sha256('hex')} `, 'ERR_INVALID_CHECKSUM'],
  ['sha256 AAAA', 'ERR_INVALID_CHECKSUM'],
])('T-141 an unverifiable value is refused at the creation: %j', async (value, code) => {
  const site = await serve({ checksumMetadata })
  const reply = await post(site, { 'upload-length': '11', ...saying(value) })
  expect(codeOf(reply)).toEqual([400, code])
  expect(reply.text).toContain('"checksum"')
  expect(reply.headers).not.toHaveProperty('location')
})

test('T-141 a checksum under another key, or without the option, is ordinary metadata', async () => {
  for (const options of [{}, { checksumMetadata: 'sha256' }]) {
    const site = await serve(options)
    const url = await createUpload(site, { 'upload-length': '5', ...saying(sha256('hex')) })
    expect((await patch(url, 0, 'other')).status).toBe(204)
    expect(await download(url)).toBe('other')
  }
})

test('T-141 the option needs a store that can be read', () => {
  const composer = new StoreComposer().useDataStore(new MemoryStore())
  new MemoryInfoStore().useIn(composer)
  expect(() => createHandler({ basePath: '/files', composer, checksumMetadata })).toThrow(
    /option 'checksumMetadata' .+ ContentReader/,
  )
})
