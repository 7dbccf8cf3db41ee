import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { createUpload, head, patch, serve } from '../serve.js'
import { newGate } from '../stages.js'
import { patchHead } from './raw-patch.js'
import { silent } from './silent.js'

test('T-068 an application answers the PATCH that completes, and clients still find the offset', async () => {
  const url = await createUpload(
    await serve({
      hooks: {
        preFinish: () => ({
          response: {
            status: 200,
            headers: {
              'Content-Type': 'application/json',
              'Upload-Offset': '3',
              'Tus-Resumable': '0.0.0',
            },
            body: '{"file":1}',
          },
        }),
      },
    }),
  )
  const partly = await patch(url, 0, 'hello ')
  expect([partly.status, partly.text]).toEqual([204, ''])
  for (const body of ['world', '']) {
    const { status, headers, text } = await patch(url, 11 - body.length, body)
    expect([status, text]).toEqual([200, '{"file":1}'])
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'upload-offset': '11',
      'tus-resumable': '1.0.0',
    })
  }
})

test.each([199, 302, 400, 500])(
  'T-068 the status %i is no answer to a finished upload: that is a fault of the hook',
  async (status) => {
    const answers = [{ response: { status } }, {}]
    const hooks = { preFinish: () => answers.shift() }
    const url = await createUpload(await serve({ hooks, logger: silent }))
    const failed = await patch(url, 0, 'hello world')
    expect([failed.status, failed.text.split(':')[0]]).toEqual([500, 'ERR_HOOK_FAILED'])
    // Not recorded: the next request asks again.
    expect((await patch(url, 11, '')).status).toBe(204)
  },
)

test('T-068 post-finish runs although the connection of a pipelined PATCH is gone', async () => {
  const gate = newGate()
  const finished = newGate()
  const site = await serve({
    hooks: {
      access: ({ action }) => (action === 'inspect' ? gate.pass() : undefined),
      postFinish: () => void finished.pass(),
    },
  })
  const url = await createUpload(site)
  const socket = connect(site.port, '127.0.0.1').resume()
  socket.on('error', () => {})
  const top = patchHead(url, { 'upload-offset': '0', 'content-length': '11' })
  socket.write(`${patchHead(url, {}).replace('PATCH', 'HEAD')}${top}hello world`)
  await gate.reached
  // The PATCH came with the HEAD, and waits for its answer, which nobody is there to get any more.
  socket.destroy()
  await finished.reached
  gate.open()
  expect((await head(url)).headers['upload-offset']).toBe('11')
})
