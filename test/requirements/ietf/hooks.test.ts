import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { HookEvent, Hooks, StoreComposer, UnplacedUpload, Upload } from 'tuskit'
import {
  chunk,
  createUpload,
  download,
  fileComposer,
  memoryComposer,
  openRequest,
  patch,
  post,
  remove,
  send,
  type Sent,
  serve,
  type Site,
  temporaryDirectory,
  tus,
  until,
} from '../../support/serve.js'
import { draftOf, problemIn, urlIn, versions } from './draft.js'
import { silent } from '../../support/silent.js'

type Origin = Pick<Site, 'origin'>

/** Clients of either protocol, which do the same work: an upload of 11 bytes in two requests. */
const clients = [
  {
    protocol: 'tus',
    start: (site: Origin) => createUpload(site),
    rest: (url: string): Sent => ({
      method: 'PATCH',
      url,
      headers: { ...chunk, 'upload-offset': '0', 'content-length': '11' },
    }),
    remove,
    whole: (site: Origin) => post(site, { 'upload-length': '5' }, 'hello'),
  },
  ...versions.map((version) => ({
    protocol: `draft, version ${version}`,
    start: (site: Origin) => draftOf(version).started(site, '', { 'upload-length': '11' }),
    rest: (url: string): Sent =>
      draftOf(version).appending(url, 0, '', { ...draftOf(version).end, 'content-length': '11' }),
    remove: (url: string) => draftOf(version).ask('DELETE', url),
    whole: (site: Origin) => draftOf(version).create(site, 'hello', draftOf(version).end),
  })),
]

type Context = {
  readonly event: HookEvent
  readonly upload?: Upload | UnplacedUpload | undefined
  readonly request: IncomingMessage | undefined
}

/** Hooks that allow everything and record event, state and method. */
function noting(calls: string[]): Hooks {
  const note = ({ event, upload, request }: Context) => {
    calls.push([event.type, upload?.state.kind, request?.method].join(' '))
  }
  return {
    access: note,
    preCreate: note,
    postCreate: note,
    postReceive: note,
    preFinish: note,
    postFinish: note,
    preTerminate: note,
    postTerminate: note,
  }
}

function untilCalled(calls: readonly string[], start: string) {
  return until(
    async () => calls,
    (made) => made.some((call) => call.startsWith(start)),
  )
}

async function idsIn(composer: StoreComposer): Promise<string[]> {
  const ids: string[] = []
  const { signal } = new AbortController()
  for await (const id of composer.slots().infoLister!.ids({ signal })) ids.push(id)
  return ids
}

describe.each(clients)('$protocol', ({ start, rest, remove, whole }) => {
  test('hooks are called in order during the life of an upload', async () => {
    const calls: string[] = []
    const site = await serve({ hooks: noting(calls), progressInterval: 1 })
    const url = await start(site)
    await untilCalled(calls, 'post-create')
    const { request, reply } = openRequest(rest(url))
    request.write('hello')
    await untilCalled(calls, 'post-receive')
    request.end(' world')
    expect((await reply).status).toBeLessThan(300)
    await untilCalled(calls, 'post-finish')
    expect((await remove(url)).status).toBe(204)
    await site.server.stop()
    // How often progress is reported depends on timing.
    const seen = calls.filter((call, at) => call !== calls[at - 1])
    expect(seen).toEqual([
      'access  POST',
      'pre-create open POST',
      'post-create open POST',
      'access open PATCH',
      'post-receive open PATCH',
      'pre-finish open PATCH',
      'post-finish finished PATCH',
      'access finished DELETE',
      'pre-terminate finished DELETE',
      'post-terminate gone DELETE',
    ])
  })

  test('an upload in one request is created and finished', async () => {
    const calls: string[] = []
    const site = await serve({ hooks: noting(calls) })
    expect((await whole(site)).status).toBe(201)
    await site.server.stop()
    expect(calls.filter((call) => !call.startsWith('post-receive'))).toEqual([
      'access  POST',
      'pre-create open POST',
      'post-create open POST',
      'pre-finish open POST',
      'post-finish finished POST',
    ])
  })

  test('an upload that is removed before its end is not finished', async () => {
    const calls: string[] = []
    const site = await serve({ hooks: noting(calls) })
    expect((await remove(await start(site))).status).toBe(204)
    await site.server.stop()
    expect(calls.slice(-3)).toEqual([
      'access open DELETE',
      'pre-terminate open DELETE',
      'post-terminate gone DELETE',
    ])
    expect(calls.join()).not.toContain('finish')
  })

  test('preCreate chooses id, metadata, place and limit', async () => {
    const composer = fileComposer(await temporaryDirectory())
    const hooks: Hooks = {
      preCreate: () => ({
        id: 'chosen',
        metadata: { filename: 'ü.txt', owner: 'me' },
        place: { path: 'by-user/7.bin' },
        maxSize: 12,
      }),
    }
    const site = await serve({ composer, hooks, maxSize: 3 })
    const reply = await whole(site)
    expect([reply.status, reply.headers.location]).toEqual([201, '/files/chosen'])
    const { upload } = await site.handler.uploads.inspect('chosen')
    expect({ ...upload.metadata.values }).toEqual({ filename: 'ü.txt', owner: 'me' })
    expect([upload.maxSize, upload.storage.at]).toEqual([12, { path: 'by-user/7.bin' }])
    expect(await download(`${site.origin}/files/chosen`)).toBe('hello')
    expect((await whole(site)).status).toBe(422)
  })

  test('an exception in a post hook changes nothing', async () => {
    const fail = () => {
      throw new Error('The application is down')
    }
    const hooks = { postCreate: fail, postReceive: fail, postFinish: fail, postTerminate: fail }
    const site = await serve({ hooks, logger: silent })
    const reply = await whole(site)
    expect(reply.status).toBe(201)
    expect((await remove(urlIn(reply, site))).status).toBe(204)
  })
})

describe.each(versions)('preCreate, version %s', (version) => {
  const draft = draftOf(version)
  test('rejects with 400 by default, and nothing is stored', async () => {
    const composer = memoryComposer()
    const site = await serve({ composer, hooks: { preCreate: () => ({ reject: true }) } })
    const reply = await draft.create(site, 'hello', draft.end)
    expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_REJECTED'])
    expect(reply.headers).toMatchObject(draft.more)
    expect(reply.headers).not.toHaveProperty('location')
    expect(await idsIn(composer)).toEqual([])
  })

  test('R-032 gets the description that the creation declares', async () => {
    const seen: UnplacedUpload[] = []
    const site = await serve({ hooks: { preCreate: ({ upload }) => void seen.push(upload) } })
    const fields = {
      'content-type': 'image/png',
      'content-disposition': 'inline; filename="a.png"',
      'upload-length': '11',
    }
    await draft.started(site, 'hello', fields)
    expect(seen).toMatchObject([{ protocol: 'ietf', length: 11, metadata: { raw: '' } }])
    expect({ ...seen[0]!.metadata.values }).toEqual({ filename: 'a.png', filetype: 'image/png' })
    expect(seen[0]!.representation!.headers).toEqual({
      'content-type': fields['content-type'],
      'content-disposition': fields['content-disposition'],
    })
  })

  test('R-090 lowers the limit, which is reported and enforced', async () => {
    const site = await serve({ maxSize: 100, hooks: { preCreate: () => ({ maxSize: 6 }) } })
    const large = await draft.create(site, 'seven b', draft.end)
    expect([large.status, large.headers['upload-limit']]).toEqual([413, 'max-size=6'])
    const url = await draft.started(site, 'hello')
    expect((await draft.stateOf(url))['upload-limit']).toBe('max-size=6')
    expect((await draft.append(url, 5, '67', draft.end)).status).toBe(413)
    expect((await draft.append(url, 5, '6', draft.end)).headers).toMatchObject(draft.end)
  })
})

test('D1 hooks see the effective method, and the interop version in the request', async () => {
  const seen: unknown[] = []
  const site = await serve({
    hooks: {
      access: ({ action, request }) =>
        void seen.push([action, request!.headers['upload-draft-interop-version']]),
    },
  })
  const override = { ...draftOf(8).end, 'x-http-method-override': 'PATCH' }
  const url = await draftOf(8).started(site, 'hello')
  await send({ ...draftOf(8).appending(url, 5, ' world', override), method: 'POST' })
  await send({ method: 'HEAD', url, headers: tus })
  expect(seen).toEqual([
    ['create', '8'],
    ['append', '8'],
    ['inspect', undefined],
  ])
  expect((await patch(url, 11, '')).status).toBe(409)
})
