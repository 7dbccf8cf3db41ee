import { readFileSync, writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore, type FileStoreOptions } from 'tuskit/file-store'
import { LimitedStore } from 'tuskit/limited-store'
import {
  createUpload,
  idOf,
  offsetOf,
  patch,
  send,
  serve,
  temporaryDirectory,
} from '../support/serve.js'

const taken = Date.parse('2019-05-06T07:08:09.123Z')

async function site(options: Partial<FileStoreOptions> = {}) {
  const directory = await temporaryDirectory()
  const composer = new StoreComposer().use(
    new FileStore({ directory, mtimeMetadata: 'lastModified', ...options }),
    new FileInfoStore({ directory }),
  )
  return { directory, ...(await serve({ composer })) }
}

const metadata = (value: string) => ({
  'upload-metadata': `name,lastModified ${Buffer.from(value).toString('base64')}`,
})

async function mtimeOf({ directory }: { readonly directory: string }, url: string) {
  return Math.round((await stat(join(directory, idOf(url)))).mtimeMs)
}

describe.each(['os', 'disk'] as const)('mtimeMetadata with durability %s', (durability) => {
  it('dates the file when its last byte is stored, and not before', async () => {
    const files = await site({ durability })
    const began = Date.now()
    const headers = { 'upload-length': '6', ...metadata(String(taken)) }
    const url = await createUpload(files, headers)
    await patch(url, 0, 'abc')
    // File systems may store less than milliseconds.
    expect(await mtimeOf(files, url)).toBeGreaterThan(began - 5_000)
    await patch(url, 3, 'def')
    expect(await mtimeOf(files, url)).toBe(taken)
  })
})

test.each([
  [String(taken), taken],
  ['2019-05-06T07:08:09.123Z', taken],
  ['2019-05-06T09:08:09.123+02:00', taken],
  ['2019-05-06', Date.parse('2019-05-06')],
  ['0', 0],
  ['-86400000', -86_400_000],
])('mtimeMetadata sets the time %s', async (value, expected) => {
  const files = await site()
  const url = await createUpload(files, { 'upload-length': '0', ...metadata(value) })
  expect(await mtimeOf(files, url)).toBe(expected)
})

test.each([
  ...['', 'yesterday', '2019-13-45', '2019-05-06T07:08:09', '1e12', ' 1', 'NaN', '1'.repeat(400)],
  '+275761-01-01T00:00:00Z',
])('mtimeMetadata ignores the value %j', async (value) => {
  const files = await site()
  const began = Date.now()
  const url = await createUpload(files, { 'upload-length': '3', ...metadata(value) })
  expect((await patch(url, 0, 'abc')).status).toBe(204)
  expect(await mtimeOf(files, url)).toBeGreaterThan(began - 5_000)
})

test('a time that no file system can store fails no upload', async () => {
  const files = await site()
  const headers = { 'upload-length': '3', ...metadata('999999999999999') }
  const url = await createUpload(files, headers)
  expect((await patch(url, 0, 'abc')).status).toBe(204)
  expect((await send({ method: 'GET', url })).text).toBe('abc')
})

test('an upload with a verified chunk, and one with a late length, are dated', async () => {
  const files = await site()
  const headers = { 'upload-defer-length': '1', ...metadata(String(taken)) }
  const url = await createUpload(files, headers)
  const digest = { 'upload-checksum': 'sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=' }
  expect((await patch(url, 0, 'abc', digest)).status).toBe(204)
  expect((await patch(url, 3, '', { 'upload-length': '3' })).status).toBe(204)
  expect(await mtimeOf(files, url)).toBe(taken)
})

test('a final upload gets the time of its own metadata', async () => {
  const files = await site()
  const part = { 'upload-concat': 'partial', 'upload-length': '3' }
  const first = await createUpload(files, { ...part, ...metadata('1000') })
  await patch(first, 0, 'abc')
  const second = await createUpload(files, part)
  const concat = `final;${new URL(first).pathname} ${new URL(second).pathname}`
  const url = await createUpload(files, { 'upload-concat': concat, ...metadata(String(taken)) })
  await patch(second, 0, 'def')
  await expect.poll(() => offsetOf(url), { timeout: 60_000 }).toBe('6')
  expect(await mtimeOf(files, url)).toBe(taken)
  expect(await mtimeOf(files, first)).toBe(1_000)
  expect((await send({ method: 'GET', url })).text).toBe('abcdef')
})

test('an upload that a crash left full but undated is dated later', async () => {
  const files = await site()
  const url = await createUpload(files, { 'upload-length': '3', ...metadata(String(taken)) })
  writeFileSync(join(files.directory, idOf(url)), 'abc')
  expect(await files.handler.uploads.finishPending()).toBe(1)
  expect(await mtimeOf(files, url)).toBe(taken)
  expect(readFileSync(join(files.directory, idOf(url)), 'utf8')).toBe('abc')
})

test('a LimitedStore dates files, too', async () => {
  const directory = await temporaryDirectory()
  const composer = new StoreComposer()
  const limited = new LimitedStore({
    store: new FileStore({ directory, mtimeMetadata: 'lastModified' }),
    infoStore: new FileInfoStore({ directory }),
    limit: 1_000,
  })
  limited.useIn(composer)
  const files = { directory, ...(await serve({ composer })) }
  const url = await createUpload(files, { 'upload-length': '3', ...metadata(String(taken)) })
  await patch(url, 0, 'abc')
  expect(await mtimeOf(files, url)).toBe(taken)
})

test('the name of the key is checked, and without one there is no Finisher', () => {
  expect(() => new FileStore({ directory: 'x', mtimeMetadata: '' })).toThrow(
    "option 'mtimeMetadata' must be a non-empty string, not ''",
  )
  const slots = (options: FileStoreOptions) => {
    const composer = new StoreComposer().use(new FileStore(options))
    return composer.slots()
  }
  expect(slots({ directory: 'x' }).finisher).toBeUndefined()
  expect(slots({ directory: 'x', mtimeMetadata: 'lastModified' }).finisher).toBeDefined()
})
