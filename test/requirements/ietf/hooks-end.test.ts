import { describe, expect, test } from 'vitest'
import type { HookContext } from 'tuskit'
import {
  download,
  memoryComposer,
  openRequest,
  type Reply,
  serve,
  type Site,
  until,
  idOf,
} from '../../support/serve.js'
import { newGate } from '../../support/stages.js'
import { chunked, draft9, draftOf, problemIn, urlIn, versions } from './draft.js'

describe.each(versions)('postReceive, version %s', (version) => {
  const draft = draftOf(version)
  const rejection = { status: 422, headers: { 'X-Why': 'virus' }, body: 'no' }

  /** Sends an append of which 5 bytes arrive before the hook stops the upload. */
  async function stopped(stop: true | typeof rejection) {
    const called: [string, number][] = []
    const finished: string[] = []
    const site = await serve({
      progressInterval: 1,
      hooks: {
        postReceive({ event, offset }) {
          called.push([event.id, offset])
          return { stop }
        },
        postFinish: ({ upload }) => void finished.push(upload.id),
      },
    })
    const url = await draft.started(site, '')
    const sent = draft.appending(url, 0, '', { ...draft.end, 'content-length': '11' })
    const { request, reply } = openRequest({ ...sent, body: 'hello' })
    const refused = await reply
    request.destroy()
    expect(called).toEqual([[`${idOf(url)}/post-receive/5`, 5]])
    return { site, url, refused, finished }
  }

  test('R-030 stops the upload permanently, and every later request gets its response', async () => {
    const { site, url, refused, finished } = await stopped(rejection)
    expect([refused.status, refused.text]).toEqual([422, 'no'])
    const later = [
      await draft.append(url, 5, ' world', draft.end),
      await draft.append(url, 5, '', draft.more),
      await draft.ask('HEAD', url),
      await draft.ask('GET', url),
    ]
    for (const { status, headers } of [refused, ...later]) {
      expect(status).toBe(422)
      expect(headers).toMatchObject({ 'x-why': 'virus', ...draft.end })
    }
    expect((await draft.ask('DELETE', url)).status).toBe(204)
    await site.server.stop()
    expect(finished).toEqual([])
  })

  test('responds with 400 by default', async () => {
    const { refused } = await stopped(true)
    expect(refused.status).toBe(400)
    expect(refused.headers).toMatchObject(draft.end)
  })
})

describe.each(versions)('preFinish, version %s', (version) => {
  const draft = draftOf(version)
  /** The ways in which an upload ends. */
  const endings: ((site: Site) => Promise<Reply>)[] = [
    (site) => draft.create(site, 'hello world', draft.end),
    async (site) => draft.append(await draft.started(site, 'hello'), 5, ' world', draft.end),
    async (site) => draft.append(await draft.started(site, 'hello'), 5, '', draft.end),
  ]

  test('R-065 adds to the response, whichever request is the last', async () => {
    const headers = { 'X-File': '7', 'Upload-Complete': '?0', 'Upload-Offset': '999' }
    const response = { status: 202, headers, body: 'done' }
    const site = await serve({ hooks: { preFinish: () => ({ response }) } })
    for (const [at, finish] of endings.entries()) {
      const reply = await finish(site)
      expect([reply.status, reply.text, reply.headers['x-file']]).toEqual([202, 'done', '7'])
      // Hooks cannot change the headers of the protocol.
      const offset = at === 2 ? '5' : '11'
      expect(reply.headers).toMatchObject({ 'upload-offset': offset, ...draft.end })
    }
  })

  test('R-030 rejects permanently, with 400 by default, which every later request gets', async () => {
    const finished: string[] = []
    const site = await serve({
      hooks: {
        preFinish: () => ({ reject: true }),
        postFinish: ({ upload }) => void finished.push(upload.id),
      },
    })
    const url = await draft.started(site, 'hello')
    const replies = [
      await draft.append(url, 5, ' world', draft.end),
      await draft.append(url, 11, '', draft.end),
      await draft.ask('HEAD', url),
      await draft.ask('GET', url),
    ]
    for (const { status, headers } of replies) {
      expect(status).toBe(400)
      expect(headers).toMatchObject(draft.end)
    }
    await site.server.stop()
    expect(finished).toEqual([])
  })

  test('R-071 is called once, as is postFinish, however often the end is declared', async () => {
    const calls: string[] = []
    const note = ({ event }: HookContext) => void calls.push(event.id)
    const site = await serve({ hooks: { preFinish: note, postFinish: note } })
    const url = await draft.started(site, 'hello')
    expect((await draft.append(url, 5, ' world', draft.end)).status).toBe(201)
    const again = await draft.append(url, 11, '', draft.end)
    expect(again.status).toBe((version ?? 9) >= 9 ? 201 : 400)
    await draft.stateOf(url)
    expect((await draft.append(url, 11, 'x', draft.end)).status).toBeOneOf([400, 409])
    expect(await site.handler.uploads.finishPending()).toBe(0)
    await site.server.stop()
    expect(calls).toEqual([`${idOf(url)}/pre-finish`, `${idOf(url)}/post-finish`])
  })
})

test('postFinish is called after the response, which does not wait for it', async () => {
  const { reached, pass, open } = newGate()
  const site = await serve({ hooks: { postFinish: pass } })
  const reply = await draft9.create(site, 'hello', draft9.end)
  expect([reply.status, reply.headers['upload-complete']]).toEqual([201, '?1'])
  await reached
  expect(await draft9.stateOf(urlIn(reply, site))).toMatchObject(draft9.end)
  open()
})

describe.each(versions)('preTerminate and postTerminate, version %s', (version) => {
  const draft = draftOf(version)
  test('a rejection leaves the upload unchanged', async () => {
    const called: string[] = []
    const site = await serve({
      hooks: {
        preTerminate: ({ request }) => ({
          reject: request?.headers['x-hold'] === 'ours' ? { status: 423, body: 'held' } : true,
        }),
        postTerminate: ({ upload }) => void called.push(upload.id),
      },
    })
    const url = await draft.started(site, 'hello')
    const refused = await draft.ask('DELETE', url)
    expect([refused.status, problemIn(refused).code]).toEqual([400, 'ERR_REJECTED'])
    expect(refused.headers).toMatchObject(draft.more)
    const held = await draft.ask('DELETE', url, { 'x-hold': 'ours' })
    expect([held.status, held.text]).toEqual([423, 'held'])
    expect((await draft.append(url, 5, ' world', draft.end)).headers).toMatchObject(draft.end)
    expect((await draft.ask('DELETE', url)).status).toBe(400)
    expect(await download(url)).toBe('hello world')
    await site.server.stop()
    expect(called).toEqual([])
  })

  test('a rejection keeps the bytes of an append in progress', async () => {
    const site = await serve({
      takeoverAfter: 60_000,
      hooks: { preTerminate: () => ({ reject: true }) },
    })
    const url = await draft.started(site, '')
    const sent = draft.appending(url, 0, '', { ...draft.end, 'content-length': '11' })
    const { reply } = openRequest({ ...sent, body: 'hello' })
    await until(
      () => site.handler.uploads.inspect(idOf(url)),
      ({ offset }) => offset === 5,
    )
    expect((await draft.ask('DELETE', url)).status).toBe(400)
    await expect(reply).rejects.toThrow()
    expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft.more })
  })
})

test('expiry and excess bytes call no hook for termination', async () => {
  const calls: string[] = []
  const note = ({ event }: HookContext) => void calls.push(event.type)
  const hooks = { preTerminate: note, postTerminate: note }
  const site = await serve({ expiration: { after: 1 }, hooks })
  await draft9.started(site, 'hello')
  await until(
    () => site.handler.uploads.removeExpired(),
    (removed) => removed === 1,
  )
  const lasting = await serve({ hooks })
  const url = await draft9.started(lasting, 'hello', { 'upload-length': '6' })
  const reply = await draft9.append(url, 5, ' world', { ...draft9.end, ...chunked })
  expect(reply.status).toBe(400)
  expect((await draft9.ask('HEAD', url)).status).toBe(410)
  await site.server.stop()
  await lasting.server.stop()
  expect(calls).toEqual([])
})

test('finish hooks that are added later are called for existing draft uploads', async () => {
  const composer = memoryComposer()
  const first = await serve({ composer })
  const url = await draft9.started(first, 'hello')
  const calls: string[] = []
  const note = ({ event, upload }: HookContext) => {
    calls.push(`${event.type} ${upload.state.kind}`)
  }
  const next = await serve({ composer, hooks: { preFinish: note, postFinish: note } })
  const there = url.replace(first.origin, next.origin)
  expect((await draft9.append(there, 5, ' world', draft9.end)).status).toBe(201)
  await next.server.stop()
  expect(calls).toEqual(['pre-finish open', 'post-finish finished'])
})
