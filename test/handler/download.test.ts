import { expect, test } from 'vitest'
import type { DownloadPresentation, HandlerOptions } from 'tuskit'
import { memoryComposer, post, send, serve, tus } from '../support/serve.js'
import { keptLog } from '../support/stages.js'

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** A server with an upload of the type `application/pdf` and the name `a.pdf`. */
async function serveUpload(options: Partial<HandlerOptions>) {
  const site = await serve(options)
  const metadata = `filename ${base64('a.pdf')},filetype ${base64('application/pdf')}`
  const sent = { 'upload-length': '5', 'upload-metadata': metadata }
  const { headers } = await post(site, sent, 'hello')
  const url = site.origin + headers.location
  return { url, get: (more = {}) => send({ method: 'GET', url, headers: more }) }
}

test('the application chooses disposition, name, type and headers per upload and request', async () => {
  const { get } = await serveUpload({
    download: async ({ upload, request }) => ({
      disposition: 'inline',
      filename: `../${request.headers['x-user']}/${upload.metadata.values.filename}`,
      contentType: 'application/pdf; version=2',
      headers: {
        'Cache-Control': 'private, max-age=60',
        'Content-Security-Policy': "default-src 'none'",
        'X-Robots-Tag': 'noindex',
      },
    }),
  })
  const whole = await get({ 'x-user': 'ada' })
  expect(whole.text).toBe('hello')
  expect(whole.headers).toMatchObject({
    'content-disposition': 'inline; filename="a.pdf"',
    'content-type': 'application/pdf; version=2',
    'cache-control': 'private, max-age=60',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff',
    'x-robots-tag': 'noindex',
  })
  const same = await get({ 'if-none-match': whole.headers.etag })
  expect([same.status, same.headers['cache-control']]).toEqual([304, 'private, max-age=60'])
  const state = await get({ ...tus, 'if-match': '"other"' })
  expect([state.status, state.headers['cache-control']]).toEqual([412, 'no-store'])
})

test('Vary of the application is added to that of CORS', async () => {
  const { get } = await serveUpload({
    cors: { origins: ['https://example.org'] },
    download: () => ({ headers: { vary: 'Accept', 'cache-control': 'public' } }),
  })
  for (const origin of ['https://example.org', 'https://example.com']) {
    expect((await get({ origin })).headers.vary).toBe('Origin, Accept')
  }
})

test('members that the application omits keep their defaults', async () => {
  const { get: plain } = await serveUpload({})
  const { get: chosen } = await serveUpload({ download: () => {} })
  const { get: named } = await serveUpload({ download: () => ({ contentType: 'text/plain' }) })
  const described = ['content-type', 'content-disposition', 'cache-control']
  const pick = (headers: Record<string, unknown>) => described.map((name) => headers[name])
  const expected = ['application/pdf', 'attachment; filename="a.pdf"']
  const caching = 'private, no-cache, no-transform'
  expect(pick((await plain()).headers)).toEqual([...expected, caching])
  const { headers } = await chosen()
  expect(pick(headers)).toEqual([...expected, caching])
  expect(headers['content-security-policy']).toBe('sandbox')
  // A chosen type must be on the list of types for inline display, too.
  expect(pick((await named()).headers)).toEqual(['text/plain', 'inline; filename="a.pdf"', caching])
})

const wrong: readonly unknown[] = [
  { disposition: 'form-data' },
  { filename: 5 },
  { contentType: 'pdf' },
  { contentType: 'a/b\r\nx: y' },
  { headers: { 'x y': 'z' } },
  { headers: { x: 'a\r\ny: b' } },
  { headers: { x: 5 } },
  { headers: { 'Content-Length': '1' } },
  { headers: { etag: '"a"' } },
  { headers: { 'Transfer-Encoding': 'chunked' } },
  { headers: { 'Content-Disposition': 'inline' } },
  { inline: true },
  { headers: new Headers({ 'x-a': 'b' }) },
  { headers: new Map([['x-a', 'b']]) },
  'inline',
]

test('an invalid choice is 500 and logged, and sends none of the content', async () => {
  for (const result of [...wrong, new Error('broken')]) {
    const logger = keptLog()
    const { get } = await serveUpload({
      logger,
      download() {
        if (result instanceof Error) throw result
        return result as DownloadPresentation
      },
    })
    const reply = await get()
    expect([reply.status, reply.headers['cache-control']], String(result)).toEqual([
      500,
      'no-store',
    ])
    expect(reply.text).toMatch(/^ERR_HOOK_FAILED: /)
    expect(reply.headers).not.toHaveProperty('content-disposition')
  }
})

test('the option is not called for a client that may not read, and secrets of the store stay hidden', async () => {
  const seen: unknown[] = []
  const { get } = await serveUpload({
    hooks: {
      access: ({ action, request }) => ({
        reject: action === 'read' && !request?.headers['x-user'],
      }),
    },
    composer: memoryComposer(),
    download: ({ upload }) => void seen.push(upload.storage),
  })
  expect((await get()).status).toBe(403)
  expect(seen).toEqual([])
  expect((await get({ 'x-user': 'ada' })).status).toBe(200)
  expect(seen).toEqual([expect.not.objectContaining({ secret: expect.anything() })])
})

test('an option that is not a function is refused', async () => {
  await expect(serve({ download: 'inline' as never })).rejects.toThrow(
    "createHandler: option 'download' must be a function, not 'inline'",
  )
})
