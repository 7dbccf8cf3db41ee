import { expect, test } from 'vitest'
import { createUpload, memoryComposer, patch, serve, until } from '../support/serve.js'
import { noAbort, newGate } from '../support/stages.js'

test('a partial upload that is finished late completes the final upload that waits for it', async () => {
  const slow = newGate()
  const composer = memoryComposer().useFinisher({
    finish: ({ concat }) => (concat?.kind === 'partial' ? slow.pass() : Promise.resolve()),
  })
  const site = await serve({ composer, finishTimeout: 20 })
  const partial = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
  const final = await createUpload(site, { 'upload-concat': `final;${partial}` })
  expect((await patch(partial, 0, 'hello')).status).toBe(503)
  slow.open()
  const { infoStore } = composer.slots()
  // Reads the record, because a request would concatenate the upload.
  const record = await until(
    () => infoStore!.get(final.split('/').pop()!, noAbort),
    (upload) => upload?.state.kind === 'finished',
  )
  expect(record?.length).toBe(5)
})
