import { expect, test } from 'vitest'
import { TusError, type HookResponse } from 'tuskit'
import {
  createUpload,
  head,
  memoryComposer,
  openPatch,
  patch,
  post,
  remove,
  sendRaw,
  serve,
  stores,
  tus,
  until,
  untilOffset,
} from '../../support/serve.js'
import { keptLog, newGate } from '../../support/stages.js'
import { silent } from '../../support/silent.js'

test.each(stores)(
  'T-030 HEAD reports the offset from 0 to the end, $store store',
  async ({ compose }) => {
    const url = await createUpload(await serve({ composer: await compose() }))
    const offsets: unknown[] = []
    for (const [offset, text] of [
      [0, ''],
      [0, 'hello '],
      [6, 'world'],
    ] as const) {
      await patch(url, offset, text)
      const { status, headers } = await head(url)
      offsets.push([status, headers['upload-offset']])
    }
    expect(offsets).toEqual([
      [200, '0'],
      [200, '6'],
      [200, '11'],
    ])
  },
)

test.each(stores)(
  'T-031 HEAD reports the length when it is known, even 0, $store store',
  async ({ compose }) => {
    const site = await serve({ composer: await compose() })
    for (const length of ['11', '0', '1000000000000']) {
      const { headers } = await head(await createUpload(site, { 'upload-length': length }))
      expect([headers['upload-length'], headers['upload-offset']]).toEqual([length, '0'])
    }
  },
)

test('T-032 HEAD reports Upload-Defer-Length until the length is known', async () => {
  const site = await serve()
  const url = await createUpload(site, { 'upload-defer-length': '1' })
  const before = await head(url)
  expect(before.headers['upload-defer-length']).toBe('1')
  expect(before.headers).not.toHaveProperty('upload-length')
  await patch(url, 0, 'hello', { 'upload-length': '11' })
  const after = await head(url)
  expect(after.headers['upload-length']).toBe('11')
  expect(after.headers).not.toHaveProperty('upload-defer-length')
  const known = await head(await createUpload(site))
  expect(known.headers).not.toHaveProperty('upload-defer-length')
})

test('T-033 no response to HEAD may be stored', async () => {
  const site = await serve({
    hooks: {
      access: ({ request }) => {
        const reason = request?.headers['x-reason']
        if (reason === 'broken') throw new Error('broken')
        const headers = { 'Cache-Control': 'max-age=60' }
        if (reason === 'refused') return { reject: { headers } }
      },
    },
    logger: silent,
  })
  const url = await createUpload(site)
  const replies = [
    await head(url),
    await head(url, { ...tus, 'x-reason': 'refused' }),
    await head(`${url}0`),
    await head(site.origin + '/files'),
    await head(url, { 'tus-resumable': '0.2.2' }),
    await head(url, { ...tus, 'x-reason': 'broken' }),
  ]
  expect(replies.map(({ status }) => status)).toEqual([200, 403, 404, 405, 412, 423])
  for (const { headers } of replies) expect(headers['cache-control']).toBe('no-store')
})

const metadata = [
  'filename aGVsbG8udHh0',
  'b YQ==,a YQ==,is_confidential',
  'a,b ,c YQ==',
  'TUSKit YQ==, fileName Yg==',
  `binary ${Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0xc3]).toString('base64')}`,
  '__proto__ YQ==,constructor Yg==,toString',
]

test.each(stores)(
  'T-034 HEAD returns metadata byte for byte, $store store',
  async ({ compose }) => {
    const site = await serve({ composer: await compose() })
    for (const value of metadata) {
      const url = await createUpload(site, { 'upload-length': '1', 'upload-metadata': value })
      expect((await head(url)).headers['upload-metadata']).toBe(value)
    }
  },
)

test('T-034 without metadata there is no Upload-Metadata', async () => {
  const url = await createUpload(await serve())
  expect((await head(url)).headers).not.toHaveProperty('upload-metadata')
})

test.each(stores)('T-035 an unknown upload gets 404, $store store', async ({ compose }) => {
  const { origin } = await serve({ composer: await compose() })
  const { status, headers } = await head(`${origin}/files/unknown`)
  expect(status).toBe(404)
  expect(headers).not.toHaveProperty('upload-offset')
})

test('T-036 a removed upload gets 410 as long as it has a record, then 404', async () => {
  const gate = newGate()
  const site = await serve({ hooks: { postTerminate: gate.pass } })
  const url = await createUpload(site)
  expect((await remove(url)).status).toBe(204)
  await gate.reached
  const tracked = await head(url)
  expect(tracked.status).toBe(410)
  expect(tracked.headers).not.toHaveProperty('upload-offset')
  gate.open()
  await until(
    () => head(url),
    ({ status }) => status !== 410,
  )
  expect((await head(url)).status).toBe(404)
})

test.each(stores)(
  'T-036 an expired upload gets 410, then 404, $store store',
  async ({ compose }) => {
    const site = await serve({ composer: await compose(), expiration: { after: 1 } })
    const url = await createUpload(site)
    const expired = await until(
      () => head(url),
      ({ status }) => status !== 200,
    )
    expect(expired.status).toBe(410)
    expect(expired.headers).not.toHaveProperty('upload-offset')
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    expect((await head(url)).status).toBe(404)
  },
)

test('T-037 partial and final uploads have Upload-Concat', async () => {
  const site = await serve()
  const partial = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
  const unfinished = await head(partial)
  expect(unfinished.headers).toMatchObject({
    'upload-concat': 'partial',
    'upload-offset': '0',
    'upload-length': '5',
  })
  await patch(partial, 0, 'hello')
  expect((await head(partial)).headers['upload-concat']).toBe('partial')
  const concat = `final;${new URL(partial).pathname} ${partial}`
  const final = await createUpload(site, { 'upload-concat': concat })
  expect((await head(final)).headers['upload-concat']).toBe(concat)
  const plain = await head(await createUpload(site))
  expect(plain.headers).not.toHaveProperty('upload-concat')
})

test('T-038 the response has no body, whatever the upload contains', async () => {
  const site = await serve()
  const url = await createUpload(site)
  await patch(url, 0, 'hello world')
  const { pathname } = new URL(url)
  const text = await sendRaw(
    site.port,
    `HEAD ${pathname} HTTP/1.1\r\nHost: a\r\nTus-Resumable: 1.0.0\r\nConnection: close\r\n\r\n`,
  )
  const [top = '', body] = text.split('\r\n\r\n')
  expect(top).toMatch(/^HTTP\/1\.1 200 /)
  expect(top).not.toMatch(/transfer-encoding/i)
  expect(/content-length: *(\d+)/i.exec(top)?.[1] ?? '0').toBe('0')
  expect(body).toBe('')
})

test('T-039 HEAD reports Upload-Expires as long as the upload can expire', async () => {
  const site = await serve({ expiration: { after: 60_000 } })
  const url = await createUpload(site)
  const expires = (await head(url)).headers['upload-expires'] as string
  expect(new Date(expires).toUTCString()).toBe(expires)
  expect(Date.parse(expires)).toBeGreaterThan(Date.now())
  await patch(url, 0, 'hello world')
  expect((await head(url)).headers).not.toHaveProperty('upload-expires')
  const lasting = await head(await createUpload(await serve()))
  expect(lasting.headers).not.toHaveProperty('upload-expires')
})

test.each(stores)(
  'T-040 HEAD reports the durable offset without interrupting an active PATCH, $store store',
  async ({ compose }) => {
    const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
    const url = await createUpload(site)
    const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
    request.write('hello ')
    await untilOffset(url, 6)
    request.end('world')
    expect((await reply).headers['upload-offset']).toBe('11')
    expect((await head(url)).headers['upload-offset']).toBe('11')
  },
)

test.each(stores)('T-040 HEAD ends a PATCH that has stalled, $store store', async ({ compose }) => {
  const stored = newGate()
  const site = await serve({
    composer: await compose(),
    takeoverAfter: 1,
    idleTimeout: 600_000,
    progressInterval: 1,
    hooks: { postReceive: ({ offset }) => (offset === 6 ? void stored.pass() : undefined) },
  })
  const url = await createUpload(site)
  const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
  let cut: unknown
  reply.catch((error: unknown) => (cut = error))
  request.write('hello ')
  await stored.reached
  const { headers } = await until(
    () => head(url),
    () => cut !== undefined,
  )
  expect(headers['upload-offset']).toBe('6')
  expect(cut).toMatchObject({ code: 'ECONNRESET' })
  expect((await patch(url, 6, 'world')).status).toBe(204)
})

test('T-041 an upload that is being finished gets 423, so that clients try again', async () => {
  const gate = newGate()
  const site = await serve({
    hooks: { preFinish: gate.pass },
    finishTimeout: 50,
    logger: silent,
  })
  const url = await createUpload(site)
  const patched = patch(url, 0, 'hello world')
  await gate.reached
  const busy = await head(url)
  expect([busy.status, busy.headers['retry-after']]).toEqual([423, '1'])
  expect(busy.headers).not.toHaveProperty('upload-offset')
  expect((await patched).status).toBe(503)
  gate.open()
  const { headers } = await until(
    () => head(url),
    ({ status }) => status !== 423,
  )
  expect(headers['upload-offset']).toBe('11')
})

test.each<[string, unknown]>([
  ['an error without a code', Error('the bucket is on fire')],
  ['a TypeError', TypeError('x is not a function')],
  ['nothing', undefined],
  ...(
    [
      'ERR_STORAGE_UNAVAILABLE',
      'ERR_STORAGE_FULL',
      'ERR_INFO_CORRUPT',
      'ERR_HOOK_FAILED',
      'ERR_INTERNAL',
    ] as const
  ).map((code): [string, unknown] => [code, new TusError(code)]),
])(
  'T-041 a store that throws %s gets 423 with Retry-After, and the error is logged',
  async (_, error) => {
    const composer = memoryComposer()
    const { infoStore, dataStore } = composer.slots()
    let failing = false
    const fails = async () => {
      throw error
    }
    composer.useDataStore({
      maxSize: Infinity,
      locate: (upload) => dataStore!.locate(upload),
      create: (upload, options) => dataStore!.create(upload, options),
      append: (upload, ...rest) => dataStore!.append(upload, ...rest),
      stat: (upload, options) => (failing ? fails() : dataStore!.stat(upload, options)),
    })
    const log = keptLog()
    const site = await serve({ composer, logger: log })
    const url = await createUpload(site)
    failing = true
    const failed = await head(url)
    expect([failed.status, failed.headers['retry-after']]).toEqual([423, '1'])
    expect(failed.headers).not.toHaveProperty('upload-offset')
    expect(log.lines.map(({ level }) => level)).toEqual(['error'])
    failing = false
    expect((await head(url)).headers['upload-offset']).toBe('0')
    infoStore!.get = fails
    expect((await head(url)).status).toBe(423)
    expect(log.lines.map(({ level }) => level)).toEqual(['error', 'error'])
  },
)

test('T-041 a hook that fails gets 423; a response that a hook chooses is sent', async () => {
  let access: () => { reject: HookResponse } | never
  const site = await serve({ hooks: { access: () => access() }, logger: silent })
  access = () => ({ reject: false }) as never
  const url = await createUpload(site)
  access = () => {
    throw Error('the database is down')
  }
  const failed = await head(url)
  expect([failed.status, failed.headers['retry-after']]).toEqual([423, '1'])
  for (const status of [403, 404, 500, 503]) {
    access = () => ({ reject: { status } })
    expect((await head(url)).status).toBe(status)
  }
})

test('T-041 no header that a client adds to HEAD makes it a bad request', async () => {
  const site = await serve()
  const url = await createUpload(site)
  const odd = {
    'upload-offset': 'x',
    'upload-length': '-1',
    'upload-metadata': ',',
    'upload-concat': 'x',
  }
  expect((await head(url, { ...tus, ...odd })).status).toBe(200)
  expect((await post(site, { ...odd })).status).toBe(400)
})
