import { expect, test } from 'vitest'
import { createUpload, patch, serve } from '../support/serve.js'
import { keptLog } from '../support/stages.js'

test('no error reports that an upload is full before it is finished', async () => {
  const hooks = {
    preFinish() {
      throw new Error('not yet')
    },
  }
  const site = await serve({ hooks, logger: keptLog() })
  const url = await createUpload(site, { 'upload-length': '5' })
  const replies = [
    await patch(url, 0, 'hello'),
    await patch(url, 0, 'hello'),
    await patch(url, 5, 'more'),
    await patch(url, 5, ''),
  ]
  expect(replies.map(({ status }) => status)).toEqual([500, 409, 413, 500])
  for (const { headers } of replies) expect(headers).not.toHaveProperty('upload-offset')
})
