import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  createUpload,
  fileComposer,
  head,
  namesIn,
  patch,
  serve,
  temporaryDirectory,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

async function withDamage() {
  const directory = await temporaryDirectory()
  const logger = keptLog()
  const composer = fileComposer(directory)
  const hooks = { preFinish: () => {} }
  const options = { composer, logger, hooks, expiration: { after: 3_600_000 } }
  const site = await serve(options)
  const url = await createUpload(site, { 'upload-length': '5' })
  const path = join(directory, `.${url.split('/').pop()}.info`)
  const bytes = await readFile(path)
  bytes[bytes.indexOf('"length":5') + 9] = 0x36
  await writeFile(path, bytes)
  return { directory, site, url, logger }
}

test('a damaged record does not count as a missing one', async () => {
  const { site, url } = await withDamage()
  expect((await head(url)).status).toBe(423)
  expect(await patch(url, 0, 'hello')).toMatchObject({
    status: 500,
    text: expect.stringMatching(/^ERR_INFO_CORRUPT/),
  })
  expect((await head(url.replace(/[^/]+$/, 'other'))).status).toBe(404)
  expect(site.server.listening).toBe(true)
})

test('a damaged record is not removed, and does not block any other', async () => {
  const { directory, site, logger } = await withDamage()
  const before = await namesIn(directory)
  expect(await site.handler.uploads.removeExpired()).toBe(0)
  expect(await site.handler.uploads.finishPending()).toBe(0)
  expect(await namesIn(directory)).toEqual(before)
  expect(logger.lines.map(({ message }) => message)).toEqual([
    'The sweep failed for an upload',
    'A record cannot be read',
  ])
})
