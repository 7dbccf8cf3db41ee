import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { HookRequest, Hooks } from 'tuskit'
import {
  createUpload,
  memoryComposer,
  openPatch,
  patch,
  post,
  remove,
  serve,
  until,
  type Site,
  idOf,
} from '../support/serve.js'
import { noAbort, keptLog, newGate, offsetOf } from '../support/stages.js'

interface Call {
  readonly hook: string
  readonly event: string
  readonly id: string | undefined
  readonly state: string | undefined
  readonly hasRequest: boolean
  readonly extra: Readonly<Record<string, unknown>>
}

/** Hooks that agree to everything and record their calls. */
function noting(calls: Call[]): Hooks {
  const note =
    (hook: string) =>
    (context: {
      event: { id: string; type: string }
      upload?: { id: string; state: { kind: string } } | undefined
      request: IncomingMessage | undefined
      requestData: HookRequest | undefined
      signal: AbortSignal
    }) => {
      const { event, upload, request, requestData, signal, ...extra } = context
      expect(signal.aborted).toBe(false)
      expect(requestData?.method).toBe(request?.method)
      calls.push({
        hook,
        event: `${event.type} ${event.id}`,
        id: upload?.id,
        state: upload?.state.kind,
        hasRequest: request !== undefined,
        extra,
      })
    }
  return {
    access: note('access'),
    preCreate: note('preCreate'),
    postCreate: note('postCreate'),
    postReceive: note('postReceive'),
    preFinish: note('preFinish'),
    postFinish: note('postFinish'),
    preTerminate: note('preTerminate'),
    postTerminate: note('postTerminate'),
  }
}

test('the hooks run in order during the life of an upload, with payloads and derived event ids', async () => {
  const calls: Call[] = []
  const site = await serve({ hooks: noting(calls), progressInterval: 1 })
  const url = await createUpload(site, { 'upload-length': '10' })
  const id = idOf(url)
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  await until(
    async () => calls,
    (made) => made.some(({ hook }) => hook === 'postReceive'),
  )
  request.end('world')
  expect((await reply).status).toBe(204)
  expect((await remove(url)).status).toBe(204)
  await site.server.stop()
  const seen = calls.filter(
    ({ hook, extra }) => hook !== 'postReceive' || (extra as { offset: number }).offset === 5,
  )
  const of = (hook: string, event: string, state: string | undefined, extra = {}) => ({
    hook,
    event,
    id: hook === 'access' && event === 'access /access' ? undefined : seen[1]!.id && id,
    state,
    hasRequest: true,
    extra,
  })
  expect(seen).toEqual([
    of('access', 'access /access', undefined, { action: 'create' }),
    of('preCreate', `pre-create ${id}/pre-create`, 'open'),
    of('postCreate', `post-create ${id}/post-create`, 'open', { offset: 0 }),
    of('access', `access ${id}/access`, 'open', { action: 'append' }),
    of('postReceive', `post-receive ${id}/post-receive/5`, 'open', { offset: 5 }),
    of('preFinish', `pre-finish ${id}/pre-finish`, 'open', { offset: 10 }),
    of('postFinish', `post-finish ${id}/post-finish`, 'finished', { offset: 10 }),
    of('access', `access ${id}/access`, 'finished', { action: 'terminate' }),
    of('preTerminate', `pre-terminate ${id}/pre-terminate`, 'finished', { offset: 10 }),
    of('postTerminate', `post-terminate ${id}/post-terminate`, 'gone', { offset: 10 }),
  ])
})

/** Returns the names of the hooks that ran, without access. */
async function namesAfter(work: (site: Site) => Promise<unknown>): Promise<string[]> {
  const calls: Call[] = []
  const site = await serve({ hooks: noting(calls) })
  await work(site)
  await site.server.stop()
  return calls.map(({ hook }) => hook).filter((hook) => hook !== 'access')
}

const created = ['preCreate', 'postCreate']
const finished = [...created, 'preFinish', 'postFinish']

test('an upload of 0 bytes is created and finished', async () => {
  const names = await namesAfter((site) => post(site, { 'upload-length': '0' }))
  expect(names).toEqual(finished)
})

test('a creation with all bytes is created and finished', async () => {
  const names = await namesAfter(async (site) => {
    expect((await post(site, { 'upload-length': '5' }, 'hello')).status).toBe(201)
  })
  expect(names).toEqual(finished)
})

test('a creation with some bytes is created', async () => {
  expect(await namesAfter((site) => post(site, { 'upload-length': '6' }, 'hello'))).toEqual(created)
})

test('finish hooks run for the final upload, not for partial ones', async () => {
  const names = await namesAfter(async (site) => {
    const headers = { 'upload-length': '5', 'upload-concat': 'partial' }
    const { location } = (await post(site, headers, 'hello')).headers
    const final = await post(site, { 'upload-concat': `final;${location} ${location}` })
    expect(final.status).toBe(201)
  })
  expect(names).toEqual([...created, ...finished])
})

test('a final upload that waits for its parts is finished once they are', async () => {
  const calls: Call[] = []
  const site = await serve({ hooks: noting(calls) })
  const partial = await post(site, { 'upload-length': '5', 'upload-concat': 'partial' })
  const final = await post(site, { 'upload-concat': `final;${partial.headers.location}` })
  expect(calls.map(({ hook }) => hook)).not.toContain('preFinish')
  await patch(site.origin + partial.headers.location, 0, 'hello')
  const id = idOf(final.headers.location!)
  await until(
    async () => calls,
    (made) => made.some(({ event }) => event === `post-finish ${id}/post-finish`),
  )
  expect(calls.filter(({ hook }) => hook === 'preFinish').map((call) => call.id)).toEqual([id])
})

test("the application's own calls run neither access nor preCreate, and have no request", async () => {
  const calls: Call[] = []
  const site = await serve({ hooks: noting(calls) })
  const url = await createUpload(site)
  calls.length = 0
  await site.handler.uploads.inspect(idOf(url))
  await site.handler.uploads.terminate(idOf(url))
  await site.server.stop()
  expect(calls.map(({ hook, hasRequest }) => [hook, hasRequest])).toEqual([
    ['preTerminate', false],
    ['postTerminate', false],
  ])
})

describe('post-finish', () => {
  test('runs once, after the response, as the last hook', async () => {
    const calls: string[] = []
    const slow = newGate()
    const site = await serve({
      progressInterval: 1,
      hooks: {
        postReceive: ({ offset }) => void calls.push(`post-receive ${offset}`),
        async postFinish() {
          calls.push('post-finish')
          await slow.pass()
        },
      },
    })
    const url = await createUpload(site, { 'upload-length': '5' })
    // The hook still runs, and the response has arrived.
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    await slow.reached
    expect((await patch(url, 5, '')).status).toBe(204)
    expect(await offsetOf(url)).toBe(5)
    slow.open()
    await site.server.stop()
    expect(calls.filter((call) => call === 'post-finish').length).toBe(1)
    expect(calls.at(-1)).toBe('post-finish')
  })

  test('runs even if the client does not wait for its response', async () => {
    const site = await serve({
      hooks: { postFinish: ({ upload }) => void finished.push(upload.id) },
    })
    const finished: string[] = []
    const url = await createUpload(site, { 'upload-length': '5' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '5' })
    request.end('hello', () => request.destroy())
    await reply.catch(() => {})
    await until(
      () => offsetOf(url),
      (offset) => offset === 5,
    )
    await site.server.stop()
    expect(finished).toEqual([idOf(url)])
  })

  test('does not run for a rejected upload', async () => {
    const finished: string[] = []
    const site = await serve({
      hooks: {
        preFinish: () => ({ reject: true }),
        postFinish: ({ upload }) => void finished.push(upload.id),
      },
    })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect((await patch(url, 0, 'hello')).status).toBe(400)
    await site.server.stop()
    expect(finished).toEqual([])
  })
})

test('events of one upload wait for each other, but not for those of other uploads', async () => {
  const order: string[] = []
  const slow = newGate()
  let first: string | undefined
  const site = await serve({
    hooks: {
      async postCreate({ upload }) {
        first ??= upload.id
        if (upload.id === first) await slow.pass()
        order.push(`post-create ${upload.id}`)
      },
      postFinish: ({ upload }) => void order.push(`post-finish ${upload.id}`),
    },
  })
  const one = await createUpload(site, { 'upload-length': '5' })
  await slow.reached
  const finishing = patch(one, 0, 'hello')
  const two = await post(site, { 'upload-length': '5' }, 'hello')
  const ids = [idOf(one), idOf(two.headers.location!)]
  await until(
    async () => order,
    (made) => made.includes(`post-finish ${ids[1]}`),
  )
  expect(order).toEqual([`post-create ${ids[1]}`, `post-finish ${ids[1]}`])
  slow.open()
  expect((await finishing).status).toBe(204)
  await site.server.stop()
  expect(order.slice(2)).toEqual([`post-create ${ids[0]}`, `post-finish ${ids[0]}`])
})

test('the record exists until postTerminate has run', async () => {
  const composer = memoryComposer()
  const { infoStore } = composer.slots()
  const slow = newGate()
  const site = await serve({ composer, hooks: { postTerminate: () => slow.pass() } })
  const url = await createUpload(site)
  expect((await remove(url)).status).toBe(204)
  await slow.reached
  expect((await infoStore!.get(idOf(url), noAbort))?.state.kind).toBe('gone')
  slow.open()
  await site.server.stop()
  expect(await infoStore!.get(idOf(url), noAbort)).toBeUndefined()
})

test('errors of post hooks are logged, and change nothing', async () => {
  const log = keptLog()
  const fail = () => {
    throw new Error('hook')
  }
  const hooks = { postCreate: fail, postReceive: fail, postFinish: fail, postTerminate: fail }
  const site = await serve({ logger: log, progressInterval: 1, hooks })
  const url = await createUpload(site, { 'upload-length': '10' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  await until(
    async () => log.lines,
    (lines) => lines.some(({ message }) => message.includes('post-receive')),
  )
  request.end('world')
  expect((await reply).status).toBe(204)
  expect((await remove(url)).status).toBe(204)
  await site.server.stop()
  const messages = new Set(log.lines.map(({ level, message }) => `${level}: ${message}`))
  expect([...messages].sort()).toEqual([
    'error: The hook post-create failed',
    'error: The hook post-finish failed',
    'error: The hook post-receive failed',
    'error: The hook post-terminate failed',
  ])
})
