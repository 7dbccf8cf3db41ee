import http from 'node:http'
import type { HandlerOptions } from 'tuskit'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  createUpload,
  download,
  fileComposer,
  head,
  namesIn,
  patch,
  post,
  type Reply,
  send,
  serve,
  stores,
  temporaryDirectory,
  tus,
  until,
} from '../../support/serve.js'

describe.each(stores)('$store store', ({ compose }) => {
  test('T-080 a creation gets 201 with a Location, and the offset is 0', async () => {
    const site = await serve({ composer: await compose() })
    for (const path of ['/files', '/files/', '/files?a=b']) {
      const created = await send({
        method: 'POST',
        url: site.origin + path,
        headers: { ...tus, 'upload-length': '100' },
      })
      expect([created.status, created.text]).toEqual([201, ''])
      expect(created.headers.location).toMatch(/^\/files\/[\w~-][\w.~-]*$/)
      expect(created.headers['upload-offset'] ?? '0').toBe('0')
      const { status, headers } = await head(site.origin + created.headers.location)
      expect([status, headers['upload-offset'], headers['upload-length']]).toEqual([
        200,
        '0',
        '100',
      ])
    }
  })

  test('T-085 an empty upload is finished at once, and hooks run once', async () => {
    const events: string[] = []
    const note = ({ event }: { event: { type: string } }) => void events.push(event.type)
    const site = await serve({
      composer: await compose(),
      hooks: { postCreate: note, preFinish: note, postFinish: note },
    })
    const url = await createUpload(site, { 'upload-length': '0' })
    const expected = ['post-create', 'pre-finish', 'post-finish']
    await until(
      async () => events.length,
      (length) => length === expected.length,
    )
    const { headers } = await head(url)
    expect([headers['upload-offset'], headers['upload-length']]).toEqual(['0', '0'])
    expect((await patch(url, 0, '')).status).toBe(204)
    expect((await patch(url, 0, '!')).status).toBe(413)
    expect(await download(url)).toBe('')
    // Events come in order: any late ones would precede those of the second upload.
    const withBytes = await post(site, { 'upload-length': '0' }, '')
    expect(withBytes.status).toBe(201)
    await until(
      async () => events.length,
      (length) => length >= 2 * expected.length,
    )
    expect(events).toEqual([...expected, ...expected])
  })

  test('T-085 an empty upload is finished without hooks too', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '0' })
    expect(await download(url)).toBe('')
    const id = new URL(url).pathname.split('/').at(-1)!
    expect((await site.handler.uploads.inspect(id)).finished).toBe(true)
  })
})

/** Sends a request to a server with a file store. Returns the response and the files it left. */
async function inDirectory(
  options: Partial<HandlerOptions>,
  ask: (site: Awaited<ReturnType<typeof serve>>) => Promise<Reply>,
): Promise<readonly [Reply, string[]]> {
  const directory = await temporaryDirectory()
  const reply = await ask(await serve({ composer: fileComposer(directory), ...options }))
  return [reply, await namesIn(directory)]
}

test('T-081 a creation without a length gets 400', async () => {
  const [reply, files] = await inDirectory({}, (site) => post(site, {}))
  expect([reply.status, reply.text.split(':')[0]]).toEqual([400, 'ERR_MISSING_LENGTH'])
  expect([reply.headers.location, files]).toEqual([undefined, []])
  expect((await post(await serve(), { 'upload-concat': 'partial' })).status).toBe(400)
})

test('T-082 a length and a deferred length together get 400', async () => {
  const both = { 'upload-length': '5', 'upload-defer-length': '1' }
  const [reply, files] = await inDirectory({}, (site) => post(site, both))
  expect([reply.status, reply.text.split(':')[0]]).toEqual([400, 'ERR_AMBIGUOUS_LENGTH'])
  expect([reply.headers.location, files]).toEqual([undefined, []])
})

test.each(['0', 'true', '', '2', '01', '1.0', '1 1', '-1', ['1', '1']])(
  'T-083 Upload-Defer-Length "%s" gets 400, with a length or without',
  async (value) => {
    const site = await serve()
    for (const length of [{}, { 'upload-length': '5' }]) {
      const reply = await post(site, { 'upload-defer-length': value, ...length })
      expect([reply.status, reply.text.split(':')[0]]).toEqual([400, 'ERR_INVALID_DEFER_LENGTH'])
      expect(reply.headers.location).toBeUndefined()
    }
  },
)

test('T-084 a length above the maximum gets 413; the maximum itself is accepted', async () => {
  const limits: HandlerOptions['maxSize'][] = [10, () => 10, async () => 10]
  for (const maxSize of limits) {
    const options = { maxSize: maxSize! }
    const [reply, files] = await inDirectory(options, (site) =>
      post(site, { 'upload-length': '11' }),
    )
    expect([reply.status, reply.text.split(':')[0]]).toEqual([413, 'ERR_MAX_SIZE_EXCEEDED'])
    expect([reply.headers.location, files]).toEqual([undefined, []])
    expect((await post(await serve(options), { 'upload-length': '10' })).status).toBe(201)
  }
})

test('T-084 a creation with bytes is held to the maximum before its bytes are read', async () => {
  const site = await serve({ maxSize: 10 })
  for (const headers of [{ 'upload-length': '11' }, { 'upload-defer-length': '1' }]) {
    expect((await post(site, headers, 'hello world')).status).toBe(413)
  }
})

test('T-088 a pre-create hook can reject by metadata, and then nothing is created', async () => {
  const created: string[] = []
  const hooks: HandlerOptions['hooks'] = {
    preCreate: ({ upload }) => {
      created.push(upload.id)
      const { type } = upload.metadata.values
      if (type !== 'image/png') return { reject: { status: 415, body: `no ${type}` } }
    },
    postCreate: () => void created.push('post-create'),
  }
  const text = Buffer.from('text/plain').toString('base64')
  const [reply, files] = await inDirectory({ hooks }, (site) =>
    post(site, { 'upload-length': '5', 'upload-metadata': `type ${text}` }, 'hello'),
  )
  expect([reply.status, reply.text]).toEqual([415, 'no text/plain'])
  expect([reply.headers.location, files]).toEqual([undefined, []])
  expect(created).toHaveLength(1)
  const site = await serve({ hooks: { preCreate: () => ({ reject: true }) } })
  const plain = await post(site, { 'upload-length': '5' })
  expect([plain.status, plain.text.split(':')[0]]).toEqual([400, 'ERR_REJECTED'])
})

test('T-080 a handler in a server of node:http creates uploads too', async () => {
  const { handler } = await serve()
  const server = http.createServer(handler)
  server.requestTimeout = 0
  onTestFinished(() => void server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const reply = await send({
    method: 'POST',
    url: `http://127.0.0.1:${port}/files`,
    headers: { ...tus, 'upload-length': '5' },
  })
  expect(reply.status).toBe(201)
})
