import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  createUpload,
  fileComposer,
  head,
  idOf,
  openPatch,
  serve,
  temporaryDirectory,
  untilOffset,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

test.each<[string, (path: string) => Promise<void>]>([
  ['removed', (path) => rm(path)],
  [
    'replaced',
    async (path) => {
      await writeFile(`${path}-other`, 'other')
      await rename(`${path}-other`, path)
    },
  ],
])('bytes for data that was %s during a PATCH are not acknowledged', async (_, harm) => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory), logger: keptLog() })
  const url = await createUpload(site, { 'upload-length': '11' })
  const { request, reply } = openPatch(url, 0, { 'content-length': 11 })
  request.write('hello ')
  await untilOffset(url, 6)
  await harm(join(directory, idOf(url)))
  request.end('world')
  const { status, headers, text } = await reply
  expect([status, text.split(':')[0]]).toEqual([410, 'ERR_UPLOAD_GONE'])
  expect(headers).not.toHaveProperty('upload-offset', '11')
  if (_ === 'removed') expect((await head(url)).status).toBe(410)
})

test('bytes for data that was moved during a PATCH are in the moved file', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory), logger: keptLog() })
  const url = await createUpload(site, { 'upload-length': '11' })
  const { request, reply } = openPatch(url, 0, { 'content-length': 11 })
  request.write('hello ')
  await untilOffset(url, 6)
  await rename(join(directory, idOf(url)), join(directory, 'moved'))
  request.end('world')
  expect((await reply).status).toBe(204)
  expect(await readFile(join(directory, 'moved'), 'utf8')).toBe('hello world')
  expect((await head(url)).status).toBe(410)
})
