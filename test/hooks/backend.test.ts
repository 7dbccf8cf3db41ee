import { once } from 'node:events'
import http from 'node:http'
import { describe, expect, test } from 'vitest'
import { createHandler, type HookBackend, type HookCall, type HookType } from 'tuskit'
import {
  createUpload,
  memoryComposer,
  patch,
  post,
  remove,
  serve,
  until,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

const everything: readonly HookType[] = [
  ...(['access', 'pre-create', 'post-create', 'post-receive'] as const),
  ...(['pre-finish', 'post-finish', 'pre-terminate', 'post-terminate'] as const),
]

/** A backend that notes its calls and returns what `reply` does. */
function noting(
  events: readonly HookType[] = everything,
  reply: HookBackend['call'] = () => {},
): HookBackend & { readonly calls: HookCall[] } {
  const calls: HookCall[] = []
  return {
    calls,
    events,
    call(call, options) {
      // A member that is not plain data is lost here.
      calls.push(JSON.parse(JSON.stringify(call)) as HookCall)
      return reply(call, options)
    },
  }
}

const typesOf = (calls: readonly HookCall[]) => calls.map(({ event }) => event.type)

test('a backend gets the events that it names, as plain data', async () => {
  const backend = noting()
  const site = await serve({ hooks: backend, generateId: () => 'a' })
  const metadata = 'filename aGVsbG8udHh0'
  const url = await createUpload(site, { 'upload-length': '10', 'upload-metadata': metadata })
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  expect((await patch(url, 5, 'world', { 'x-tenant': 'blue' })).status).toBe(204)
  expect((await remove(url)).status).toBe(204)
  await until(
    async () => backend.calls,
    (calls) => typesOf(calls).includes('post-terminate'),
  )
  const told = backend.calls.map(({ event, upload, offset, action, request }) => ({
    event: event.id,
    upload: upload && `${upload.id} ${upload.metadata.values.filename} ${upload.state.kind}`,
    offset,
    ...(action && { action }),
    request: `${request!.method} ${request!.target}`,
  }))
  const upload = 'a hello.txt open'
  const create = { event: '/access', offset: 0, action: 'create', request: 'POST /files' }
  const append = { event: 'a/access', upload, offset: 0, request: 'PATCH /files/a' }
  const finished = { upload: 'a hello.txt finished', offset: 10 }
  expect(told).toEqual([
    create,
    { event: 'a/pre-create', upload, offset: 0, request: 'POST /files' },
    { event: 'a/post-create', upload, offset: 0, request: 'POST /files' },
    { ...append, action: 'append' },
    { ...append, action: 'append' },
    { event: 'a/pre-finish', upload, offset: 10, request: 'PATCH /files/a' },
    { event: 'a/post-finish', ...finished, request: 'PATCH /files/a' },
    { ...append, upload: finished.upload, action: 'terminate', request: 'DELETE /files/a' },
    { event: 'a/pre-terminate', ...finished, request: 'DELETE /files/a' },
    {
      event: 'a/post-terminate',
      offset: 10,
      upload: 'a hello.txt gone',
      request: 'DELETE /files/a',
    },
  ])
  const { request } = backend.calls.find(({ event }) => event.type === 'post-finish')!
  expect(request).toMatchObject({
    headers: { 'x-tenant': ['blue'], 'upload-offset': ['5'] },
    remoteAddress: '127.0.0.1',
    remotePort: expect.any(Number) as number,
  })
})

test('no other events reach a backend', async () => {
  const backend = noting(['post-create'])
  const site = await serve({ hooks: [backend] })
  await createUpload(site, { 'upload-length': '0' })
  await until(
    async () => backend.calls,
    (calls) => calls.length > 0,
  )
  expect(typesOf(backend.calls)).toEqual(['post-create'])
})

test('headers keep all values in their order, and odd names', async () => {
  const backend = noting(['pre-create'])
  const { origin } = await serve({ hooks: backend })
  const request = http.request(`${origin}/files?source=form`, { method: 'POST' })
  request.setHeader('Tus-Resumable', '1.0.0')
  request.setHeader('Upload-Length', '0')
  request.setHeader('X-Repeated', ['first', 'second'])
  request.setHeader('__proto__', 'odd')
  request.end()
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  response.resume()
  expect(response.statusCode).toBe(201)
  const { target, headers } = backend.calls[0]!.request!
  expect(target).toBe('/files?source=form')
  expect(headers['x-repeated']).toEqual(['first', 'second'])
  expect(Object.getOwnPropertyDescriptor(headers, '__proto__')?.value).toEqual(['odd'])
})

test('a backend decides as a function does, and in the order of the list', async () => {
  const first = noting(['pre-create'], () => ({ metadata: { filename: 'a' } }))
  const second = noting(['pre-create'], () => ({ reject: { status: 418, body: 'no' } }))
  const third = noting(['pre-create'])
  const seen: unknown[] = []
  const between = {
    preCreate({ upload }: { readonly upload: { readonly metadata: { readonly values: object } } }) {
      seen.push(upload.metadata.values)
    },
  }
  const site = await serve({ hooks: [first, between, second, third] })
  expect(await post(site, { 'upload-length': '5' })).toMatchObject({ status: 418, text: 'no' })
  expect(seen).toEqual([{ filename: 'a' }])
  expect(third.calls).toEqual([])
})

test('a backend that rejects, or replies with a member of another event, has failed', async () => {
  const logger = keptLog()
  for (const reply of [
    async () => {
      throw new Error('down')
    },
    () => ({ stop: true }),
  ]) {
    const site = await serve({ hooks: noting(['pre-create'], reply), logger })
    expect((await post(site, { 'upload-length': '5' })).status).toBe(500)
  }
})

test('the signal of a backend aborts when it takes too long', async () => {
  let aborted = false
  const backend = noting(['pre-create'], async (_, { signal }) => {
    await once(signal, 'abort')
    aborted = true
  })
  const site = await serve({ hooks: backend, hookTimeout: 20, logger: keptLog() })
  expect((await post(site, { 'upload-length': '5' })).status).toBe(500)
  await until(
    async () => aborted,
    (is) => is,
  )
})

describe('open and close', () => {
  function opening(open: () => Promise<void> = async () => {}) {
    const log: string[] = []
    const backend: HookBackend = {
      events: ['access', 'post-create'],
      call: ({ event }) => void log.push(event.type),
      async open() {
        log.push('open')
        await open()
      },
      async close() {
        log.push('close')
      },
    }
    return { log, backend }
  }

  test('a backend is opened before its first event, and closed after its last', async () => {
    const { log, backend } = opening()
    const composer = memoryComposer()
    const first = createHandler({ basePath: '/a', composer, hooks: backend })
    const site = await serve({ hooks: [backend] })
    await createUpload(site, { 'upload-length': '5' })
    await site.handler.close()
    expect(log).toEqual(['open', 'access', 'post-create'])
    await first.close()
    expect(log).toEqual(['open', 'access', 'post-create', 'close'])
    expect(() => createHandler({ basePath: '/a', composer, hooks: backend })).toThrow(
      "createHandler: option 'hooks' has an object (Object) that has been closed; create a new one",
    )
  })

  test('handler.open() shows that a backend cannot be used, and it is opened again', async () => {
    const failures = [new Error('no exchange'), new Error('no exchange')]
    const { log, backend } = opening(async () => {
      const failure = failures.pop()
      if (failure !== undefined) throw failure
    })
    const site = await serve({ hooks: backend, logger: keptLog() })
    await expect(site.handler.open()).rejects.toThrow('no exchange')
    expect((await post(site, { 'upload-length': '5' })).status).toBe(500)
    expect((await post(site, { 'upload-length': '5' })).status).toBe(201)
    expect(log.slice(0, 4)).toEqual(['open', 'open', 'open', 'access'])
  })
})

test.each<[object, string]>([
  [{ call() {} }, "'hooks.events' must be an array of any of 'access',"],
  [{ call() {}, events: 'access' }, "'hooks.events' must be an array of any of 'access',"],
  [{ call() {}, events: ['post-finis'] }, "'post-finish'"],
  [{ call: true, events: [] }, "'hooks.call' must be a function"],
  [{ call() {}, events: [], open() {} }, "'hooks.close' must be a function"],
  [{ call() {}, events: [], close() {} }, "'hooks.open' must be a function"],
  [{ call() {}, events: [], open: 1, close() {} }, "'hooks.open' must be a function"],
])('%j is refused', (backend, message) => {
  const options = { basePath: '/files', composer: memoryComposer(), hooks: backend }
  expect(() => createHandler(options as never)).toThrow(message)
})
