import { expect, test } from 'vitest'
import type { StoreComposer } from 'tuskit'
import {
  createUpload,
  download,
  head,
  memoryComposer,
  patch,
  serve,
  untilOffset,
} from '../support/serve.js'
import { noAbort } from '../support/stages.js'

const hour = 3_600_000

async function expire(composer: StoreComposer, url: string) {
  const { infoStore } = composer.slots()
  const upload = (await infoStore!.get(url.split('/').pop()!, noAbort))!
  const expiresAt = new Date(Date.now() - 1).toISOString()
  await infoStore!.update({ ...upload, expiresAt, revision: upload.revision + 1 }, noAbort)
}

test('a final upload does not expire while its partials have time', async () => {
  const composer = memoryComposer()
  const site = await serve({ composer, expiration: { after: hour } })
  const partial = { 'upload-length': '5', 'upload-concat': 'partial' }
  const urls = [await createUpload(site, partial), await createUpload(site, partial)]
  const final = await createUpload(site, {
    'upload-concat': `final;${urls.join(' ')}`,
  })
  // As after a long time in which the partials received data, which extends their time.
  await expire(composer, final)
  expect((await head(final)).status).toBe(200)
  expect(await site.handler.uploads.removeExpired()).toBe(0)
  for (const url of urls) expect((await patch(url, 0, 'hello')).status).toBe(204)
  await untilOffset(final, 10)
  expect(await download(final)).toBe('hellohello')
})
