import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { ensureProgram } from '../house/debian-packages.mjs'
import {
  createUpload,
  head,
  openPatch,
  patch,
  post,
  remove,
  untilOffset,
} from '../support/serve.js'
import { stepsOf } from './steps.js'
import { trace } from './traced-server.js'
import type { TracedSite, TraceOptions } from './traced-server.js'

beforeAll(() => ensureProgram('strace'))

/**
 * Returns the steps, one a line, without those that make the directory: another test covers them.
 */
async function stepsWhile(
  options: Omit<TraceOptions, 'before'>,
  work: (site: TracedSite) => Promise<unknown>,
): Promise<string[]> {
  const before = (directory: string) => writeFile(join(directory, '.tuskit'), '')
  const events = await trace({ before, ...options }, async (site) => {
    await work(site)
  })
  return stepsOf(events).filter((step) => step !== 'sync .')
}

const sha1 = (text: string) => `sha1 ${createHash('sha1').update(text).digest('base64')}`

/** The steps that create the upload, record before data. */
const creation = (id: string) => [
  `create uploads/.${id}.info`,
  'sync uploads',
  `write uploads/.${id}.info`,
  `sync uploads/.${id}.info`,
  `create uploads/${id}`,
  `sync uploads/${id}`,
  'sync uploads',
]

test('the directory, then record and data with their names are on the disk before the response to a creation', async () => {
  const events = await trace({}, async (site) => {
    await createUpload(site)
  })
  expect(stepsOf(events)).toEqual([
    'mkdir uploads',
    'sync .',
    'create uploads/.tuskit',
    'sync uploads',
    ...creation('a'),
    'response POST 201',
  ])
})

test('bytes that come with the creation are on the disk as well', async () => {
  const steps = await stepsWhile({}, (site) => post(site, { 'upload-length': '9' }, 'first'))
  expect(steps).toEqual([
    ...creation('a'),
    'write uploads/a',
    'sync uploads/a',
    'response POST 201, offset 5',
  ])
})

test('each batch of a PATCH is on the disk before a HEAD reports it, all batches before the 204', async () => {
  const steps = await stepsWhile({}, async (site) => {
    const url = await createUpload(site, { 'upload-length': '15' })
    const { request, reply } = openPatch(url, 0, { 'content-length': 15, expect: '100-continue' })
    await once(request, 'continue')
    request.write('first')
    await untilOffset(url, 5)
    request.write('other')
    await untilOffset(url, 10)
    request.end('third')
    await reply
  })
  expect(steps.filter((step) => step !== 'response HEAD 200, offset 0')).toEqual([
    ...creation('a'),
    'response POST 201',
    'write uploads/a',
    'sync uploads/a',
    'response HEAD 200, offset 5',
    'write uploads/a',
    'sync uploads/a',
    'response HEAD 200, offset 10',
    'write uploads/a',
    'sync uploads/a',
    'response PATCH 204, offset 15',
  ])
})

test('with checksums the marker is on the disk before the first byte, and moves once the data is on the disk', async () => {
  const steps = await stepsWhile({}, async (site) => {
    const url = await createUpload(site, { 'upload-length': '15' })
    await patch(url, 0, 'first', { 'upload-checksum': sha1('first') })
    await patch(url, 5, 'wrong', { 'upload-checksum': sha1('other') })
    await patch(url, 5, 'other', { 'upload-checksum': sha1('other') })
    await patch(url, 10, 'third')
  })
  expect(steps).toEqual([
    ...creation('a'),
    'response POST 201',
    'create uploads/.a.verified',
    'sync uploads',
    'write uploads/.a.verified',
    'sync uploads/.a.verified',
    'write uploads/a',
    'sync uploads/a',
    'write uploads/.a.verified',
    'sync uploads/.a.verified',
    'response PATCH 204, offset 5',
    'write uploads/a',
    'truncate uploads/a',
    'response PATCH 460, offset 5',
    'sync uploads/a',
    'write uploads/a',
    'sync uploads/a',
    'write uploads/.a.verified',
    'sync uploads/.a.verified',
    'response PATCH 204, offset 10',
    'write uploads/a',
    'sync uploads/a',
    'write uploads/.a.verified',
    'sync uploads/.a.verified',
    'remove uploads/.a.verified',
    'response PATCH 204, offset 15',
  ])
})

test('where finishing is recorded, the record is on the disk before the response', async () => {
  const steps = await stepsWhile({ hooks: true }, async (site) => {
    const url = await createUpload(site, { 'upload-length': '5' })
    await patch(url, 0, 'first')
  })
  expect(steps).toEqual([
    ...creation('a'),
    'response POST 201',
    'write uploads/a',
    'sync uploads/a',
    'write uploads/.a.info',
    'sync uploads/.a.info',
    'response PATCH 204, offset 5',
  ])
})

test('a length that a PATCH declares is on the disk before the response', async () => {
  const steps = await stepsWhile({}, async (site) => {
    const url = await createUpload(site, { 'upload-defer-length': '1' })
    await patch(url, 0, 'first', { 'upload-length': '9' })
  })
  expect(steps).toEqual([
    ...creation('a'),
    'response POST 201',
    'write uploads/.a.info',
    'sync uploads/.a.info',
    'write uploads/a',
    'sync uploads/a',
    'response PATCH 204, offset 5',
  ])
})

test('the tombstone is on the disk before the data goes, and the data is gone before the response and before the record', async () => {
  const steps = await stepsWhile({}, async (site) => {
    const url = await createUpload(site)
    await patch(url, 0, 'first', { 'upload-checksum': sha1('first') })
    await remove(url)
  })
  const removal = steps.slice(steps.indexOf('response PATCH 204, offset 5') + 1)
  const begin = [
    'write uploads/.a.info',
    'sync uploads/.a.info',
    'remove uploads/a',
    'remove uploads/.a.verified',
    'sync uploads',
  ]
  expect(removal.slice(0, begin.length)).toEqual(begin)
  // The record is removed while the response is sent.
  expect(removal.slice(begin.length).filter((step) => step !== 'sync uploads')).toHaveLength(2)
  expect(removal).toContain('remove uploads/.a.info')
  expect(removal).toContain('response DELETE 204')
})

test('a concatenation is complete and on the disk before it takes its name, and recorded before the response', async () => {
  const steps = await stepsWhile({}, async (site) => {
    const partial = { 'upload-length': '5', 'upload-concat': 'partial' }
    await post(site, partial, 'first')
    await post(site, partial, 'other')
    const { headers } = await post(site, { 'upload-concat': 'final;/files/a /files/b' })
    await head(new URL(headers.location!, site.origin).href)
  })
  const last = 'response POST 201, offset 5'
  expect(steps.slice(steps.lastIndexOf(last) + 1)).toEqual([
    ...creation('c'),
    'write uploads/.a.info',
    'sync uploads/.a.info',
    'write uploads/.b.info',
    'sync uploads/.b.info',
    'mkdir uploads/.c.tmp',
    'sync uploads',
    'create uploads/.c.tmp/*',
    'write uploads/.c.tmp/*',
    'write uploads/.c.tmp/*',
    'sync uploads/.c.tmp/*',
    'rename uploads/.c.tmp/* to uploads/c',
    'sync uploads',
    'remove uploads/.c.tmp',
    'write uploads/.c.info',
    'sync uploads/.c.info',
    'response POST 201, offset 10',
    'response HEAD 200, offset 10',
  ])
})

test('the name of each new folder is on the disk before a file is created in it', async () => {
  const steps = await stepsWhile({ locate: 'one/two/{id}' }, async (site) => {
    await createUpload(site)
    await createUpload(site)
  })
  const record = (id: string) => creation(id).slice(0, 4)
  expect(steps).toEqual([
    ...record('a'),
    'mkdir uploads/one',
    'mkdir uploads/one/two',
    'sync uploads/one',
    'sync uploads',
    'create uploads/one/two/a',
    'sync uploads/one/two/a',
    'sync uploads/one/two',
    'response POST 201',
    ...record('b'),
    'create uploads/one/two/b',
    'sync uploads/one/two/b',
    'sync uploads/one/two',
    'response POST 201',
  ])
})

test("with durability 'os' nothing waits for the disk", async () => {
  const steps = await stepsWhile(
    { durability: 'os', hooks: true, locate: 'one/{id}' },
    async (site) => {
      const url = await createUpload(site, { 'upload-length': '10' })
      await patch(url, 0, 'first', { 'upload-checksum': sha1('first') })
      await patch(url, 5, 'other')
      await head(url)
      await remove(url)
    },
  )
  expect(steps).toContain('write uploads/one/a')
  expect(steps).toContain('response DELETE 204')
  expect(steps.filter((step) => step.startsWith('sync'))).toEqual([])
})
