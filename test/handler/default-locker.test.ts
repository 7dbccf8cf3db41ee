import { expect, test } from 'vitest'
import {
  head,
  memoryComposer,
  openPatch,
  patch,
  serve,
  tus,
  createUpload,
  until,
} from '../support/serve.js'

test('two handlers with one store share the default locker, so an upload has one writer', async () => {
  const composer = memoryComposer()
  const [one, other] = [await serve({ composer }), await serve({ composer })]
  const url = await createUpload(one, { 'upload-length': '10' })
  const elsewhere = other.origin + new URL(url).pathname
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  await until(
    () => head(url, tus),
    ({ headers }) => headers['upload-offset'] === '5',
  )
  const cut = reply.catch((error: NodeJS.ErrnoException) => error.code)
  expect((await patch(elsewhere, 5, 'world')).status).toBe(204)
  expect(await cut).toBe('ECONNRESET')
})
