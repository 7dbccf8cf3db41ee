import diagnostics from 'node:diagnostics_channel'
import { expect, onTestFinished, test } from 'vitest'
import {
  createUpload,
  head,
  idOf,
  memoryComposer,
  patch,
  post,
  send,
  serve,
} from '../support/serve.js'
import { silent } from '../support/silent.js'

/** Returns the messages of the channel, as they come. */
function messages(): readonly object[] {
  const found: object[] = []
  const note = (message: unknown) => {
    const { method, uploadId, code, status } = message as Record<string, unknown>
    found.push({ method, uploadId, code, status })
  }
  diagnostics.subscribe('tuskit:error', note)
  onTestFinished(() => void diagnostics.unsubscribe('tuskit:error', note))
  return found
}

test('each response to an error is published with its code and its own status', async () => {
  const composer = memoryComposer()
  const { infoStore } = composer.slots()
  const site = await serve({
    composer: composer.useInfoStore({
      create: (upload, options) => infoStore!.create(upload, options),
      update: (upload, options) => infoStore!.update(upload, options),
      delete: (id, options) => infoStore!.delete(id, options),
      async get(id, options) {
        if (id === 'broken') throw new Error('The disk is broken')
        return infoStore!.get(id, options)
      },
    }),
    hooks: {
      preCreate: ({ upload }) => ({ reject: upload.length === 13 && { status: 403 } }),
    },
    logger: silent,
  })
  const found = messages()
  const url = await createUpload(site)
  await post(site, { 'upload-length': '13' })
  await patch(url, 3, 'a')
  await send({
    method: 'POST',
    url: `${site.origin}/files/unknown`,
    headers: { 'tus-resumable': '1.0.0', 'x-http-method-override': 'HEAD' },
  })
  expect((await head(`${site.origin}/files/broken`)).status).toBe(423)
  await head(url)
  expect(found).toEqual([
    { method: 'POST', uploadId: undefined, code: 'ERR_REJECTED', status: 403 },
    { method: 'PATCH', uploadId: idOf(url), code: 'ERR_OFFSET_MISMATCH', status: 409 },
    { method: 'HEAD', uploadId: 'unknown', code: 'ERR_UPLOAD_NOT_FOUND', status: 404 },
    { method: 'HEAD', uploadId: 'broken', code: 'ERR_INTERNAL', status: 423 },
  ])
})

test('the request and the response are those of the listener', async () => {
  let seen: unknown
  const note = (message: unknown) => (seen = message)
  diagnostics.subscribe('tuskit:error', note)
  onTestFinished(() => void diagnostics.unsubscribe('tuskit:error', note))
  const site = await serve()
  const pairs: object[][] = []
  site.server.prependListener('request', (request, response) => pairs.push([request, response]))
  await head(`${site.origin}/files/unknown`)
  const { request, response } = seen as Record<string, unknown>
  expect(pairs).toHaveLength(1)
  expect(pairs[0]![0]).toBe(request)
  expect(pairs[0]![1]).toBe(response)
})
