import { connect } from 'node:net'
import { TusError } from 'tuskit'
import { expect, test } from 'vitest'
import { createUpload, head, idOf, patch, post, sendRaw, serve } from '../../support/serve.js'
import { newGate } from '../../support/stages.js'
import { patchHead } from './raw-patch.js'
import { silent } from '../../support/silent.js'

test('T-068 a hook sets the response to the completing PATCH, and clients still get the offset', async () => {
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
  'T-068 the status %i for a finished upload is an error of the hook',
  async (status) => {
    const results = [{ response: { status } }, {}]
    const hooks = { preFinish: () => results.shift() }
    const url = await createUpload(await serve({ hooks, logger: silent }))
    const failed = await patch(url, 0, 'hello world')
    expect([failed.status, failed.text.split(':')[0]]).toEqual([500, 'ERR_HOOK_FAILED'])
    // The failure is not recorded, so the next request calls the hook again.
    expect((await patch(url, 11, '')).status).toBe(204)
  },
)

test('T-068 post-finish runs although the connection of a pipelined PATCH is closed', async () => {
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
  // The PATCH was sent with the HEAD, and waits for its response, which no client can get now.
  socket.destroy()
  await finished.reached
  gate.open()
  expect((await head(url)).headers['upload-offset']).toBe('11')
})

const ofAConnection = {
  Connection: 'keep-alive, X-Hop',
  'Keep-Alive': 'timeout=5',
  'Proxy-Connection': 'close',
  TE: 'trailers',
  Trailer: 'x-sum',
  'Transfer-Encoding': 'chunked',
  Upgrade: 'h2c',
  'Content-Length': '4000',
}

test.each([200, 204, 205])(
  'T-068 the response %i of a hook, and its record, have no headers about the connection',
  async (status) => {
    const response = { status, headers: { ...ofAConnection, 'X-Kept': 'yes' }, body: 'stored' }
    const site = await serve({ hooks: { preFinish: () => ({ response }) } })
    const url = await createUpload(site)
    const head = { 'upload-offset': '0', 'content-length': '11', connection: 'close' }
    const text = await sendRaw(site.port, `${patchHead(url, head)}hello world`)
    const [top = '', body] = text.split('\r\n\r\n')
    expect(body).toBe(status === 200 ? 'stored' : '')
    const names = top.split('\r\n').map((line) => line.split(':')[0]!.toLowerCase())
    for (const name of ['keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding']) {
      expect(names).not.toContain(name)
    }
    expect(names).toContain('x-kept')
    expect(top).not.toMatch(/X-Hop|h2c|4000/)
    const { state } = (await site.handler.uploads.inspect(idOf(url))).upload
    expect(state).toMatchObject({ response: { headers: { 'X-Kept': 'yes' } } })
    expect(JSON.stringify(state)).not.toMatch(/4000|chunked|h2c|X-Hop/)
    // The response from the record has no such headers either.
    expect((await patch(url, 11, '')).headers).not.toHaveProperty('transfer-encoding')
  },
)

test('T-068 an error that a hook throws has no headers about the connection either', async () => {
  const access = () => {
    const response = { status: 402, headers: ofAConnection, body: 'pay' }
    throw new TusError('ERR_ACCESS_DENIED', { response })
  }
  const { origin } = await serve({ hooks: { access } })
  const reply = await post({ origin }, { 'upload-length': '5' })
  expect([reply.status, reply.text, reply.headers['content-length']]).toEqual([402, 'pay', '3'])
  for (const name of ['transfer-encoding', 'te', 'trailer', 'upgrade', 'proxy-connection']) {
    expect(reply.headers).not.toHaveProperty(name)
  }
})
