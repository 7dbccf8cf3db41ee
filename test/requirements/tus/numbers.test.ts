import { expect, test } from 'vitest'
import { createUpload, head, patch, post, send, serve, stores, tus } from '../../support/serve.js'

const malformed: [string, string | string[]][] = [
  ['an empty value', ''],
  ['-1', '-1'],
  ['+5', '+5'],
  ['1.0', '1.0'],
  ['1e3', '1e3'],
  ['0x10', '0x10'],
  ['5 5', ' 5 5'],
  ['NaN', 'NaN'],
  ['Infinity', 'Infinity'],
  ['5;a', '5;a'],
  ['"5"', '"5"'],
  ['1_000', '1_000'],
  ['a superscript', '\u00b2'],
  ['two lines', ['5', '5']],
  ['a list', '0,0'],
]

test.each(malformed)('T-008 %s is not a number', async (_, value) => {
  const site = await serve()
  const creation = await send({
    method: 'POST',
    url: `${site.origin}/files`,
    headers: { ...tus, 'upload-length': value },
  })
  expect([creation.status, creation.headers.location]).toEqual([400, undefined])
  expect(creation.text).toMatch(/^ERR_(INVALID|MISSING)_LENGTH: /)

  const url = await createUpload(site, { 'upload-defer-length': '1' })
  const offset = await patch(url, 0, 'hello', { 'upload-offset': value })
  expect([offset.status, offset.text.split(':')[0]]).toEqual([400, 'ERR_INVALID_OFFSET'])
  const length = await patch(url, 0, 'hello', { 'upload-length': value })
  expect([length.status, length.text.split(':')[0]]).toEqual([400, 'ERR_INVALID_LENGTH'])
  const { headers } = await head(url)
  expect([headers['upload-offset'], headers['upload-defer-length']]).toEqual(['0', '1'])
})

const tooLarge = [
  '9007199254740992',
  '9007199254740993',
  '18446744073709551616',
  '1'.padEnd(30, '0'),
]

test.each(tooLarge)(
  'T-009 %s is never rounded: a length gets 413, an offset 409',
  async (value) => {
    for (const options of [{}, { maxSize: 10 }]) {
      const site = await serve(options)
      const creation = await post(site, { 'upload-length': value })
      expect([creation.status, creation.headers.location]).toEqual([413, undefined])
      expect(creation.text).toMatch(/^ERR_MAX_SIZE_EXCEEDED: /)

      const url = await createUpload(site, { 'upload-defer-length': '1' })
      const length = await patch(url, 0, 'hello', { 'upload-length': value })
      expect([length.status, length.text.split(':')[0]]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
      const offset = await patch(url, 0, 'hello', { 'upload-offset': value })
      expect([offset.status, offset.text.split(':')[0]]).toEqual([409, 'ERR_OFFSET_MISMATCH'])
      expect(offset.headers['upload-offset']).toBe('0')
      const { headers } = await head(url)
      expect([headers['upload-offset'], headers['upload-defer-length']]).toEqual(['0', '1'])
    }
  },
)

test.each(stores)(
  'T-009 the largest number and leading zeros are accepted, $store store',
  async ({ compose }) => {
    const site = await serve({ composer: await compose() })
    const largest = await createUpload(site, { 'upload-length': '9007199254740991' })
    expect((await head(largest)).headers['upload-length']).toBe('9007199254740991')
    const url = await createUpload(site, { 'upload-length': '007' })
    expect((await head(url)).headers['upload-length']).toBe('7')
    expect((await patch(url, 0, 'hello', { 'upload-offset': '000' })).status).toBe(204)
    expect((await patch(url, 0, 'ab', { 'upload-offset': '005' })).headers['upload-offset']).toBe(
      '7',
    )
  },
)
