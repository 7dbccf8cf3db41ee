import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { HandlerOptions } from 'tuskit'
import {
  download,
  fileComposer,
  memoryComposer,
  openRequest,
  type Reply,
  send,
  serve,
  type Site,
  stores,
  temporaryDirectory,
  until,
} from '../../support/serve.js'
import {
  chunked,
  draft9,
  draftOf,
  type Fields,
  limitIn,
  problemIn,
  urlIn,
  type Version,
  versions,
} from './draft.js'
import { silent } from '../../support/silent.js'
import { noAbort } from '../../support/stages.js'

const methods = ['POST', 'PUT', 'PATCH']
const each = methods.flatMap((method) => versions.map((version) => ({ method, version })))

describe.each(stores)('$store store', ({ compose }) => {
  test.each(each)(
    'R-020 R-022 $method creates an upload from a whole representation, version $version',
    async ({ method, version }) => {
      const draft = draftOf(version)
      const site = await serve({ composer: await compose() })
      const reply = await send({ ...draft.creation(site, 'hello', draft.end), method })
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({ ...draft.end, 'upload-offset': '5' })
      const url = urlIn(reply, site)
      expect(await download(url)).toBe('hello')
      expect(await draft.stateOf(url)).toMatchObject({ ...draft.end, 'upload-length': '5' })
    },
  )

  test.each(each)(
    'R-020 R-023 $method with a part gets 201 with Location and Upload-Limit, version $version',
    async ({ method, version }) => {
      const draft = draftOf(version)
      const site = await serve({ composer: await compose(), maxSize: 1000 })
      const headers = { ...draft.more, 'upload-length': '11' }
      const reply = await send({ ...draft.creation(site, 'hello', headers), method })
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({
        ...draft.more,
        'upload-offset': '5',
        'upload-limit': 'max-size=1000',
      })
      const url = urlIn(reply, site)
      expect((await draft.append(url, 5, ' world', draft.end)).status).toBe(201)
      expect(await download(url)).toBe('hello world')
    },
  )

  test.each(versions)(
    'R-028 an empty creation that is not the end gets 201 and offset 0, version %s',
    async (version) => {
      const draft = draftOf(version)
      const site = await serve({ composer: await compose() })
      const reply = await draft.create(site, '', draft.more)
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({ ...draft.more, 'upload-offset': '0' })
      const url = urlIn(reply, site)
      expect(await draft.stateOf(url)).toMatchObject({ ...draft.more, 'upload-offset': '0' })
      const appended = await draft.append(url, 0, 'hello', draft.end)
      expect(appended.headers).toMatchObject({ ...draft.end, 'upload-offset': '5' })
    },
  )

  test.each(versions)(
    'R-028 an empty representation is complete at once, version %s',
    async (version) => {
      const draft = draftOf(version)
      const site = await serve({ composer: await compose() })
      for (const fields of [{}, chunked]) {
        const reply = await draft.create(site, '', { ...draft.end, ...fields })
        expect(reply.status).toBe(201)
        expect(reply.headers).toMatchObject({ ...draft.end, 'upload-offset': '0' })
        const url = urlIn(reply, site)
        expect(await draft.stateOf(url)).toMatchObject({ ...draft.end, 'upload-length': '0' })
        expect(await download(url)).toBe('')
      }
    },
  )
})

test.each(['HEAD', 'GET', 'DELETE', 'OPTIONS'])(
  'R-020 %s never creates an upload, whatever its headers declare',
  async (method) => {
    const asked: string[] = []
    const site = await serve({ hooks: { access: ({ action }) => void asked.push(action) } })
    for (const version of versions) {
      const draft = draftOf(version)
      for (const says of [draft.end, draft.more]) {
        const reply = await send({ ...draft.creation(site, 'hello', says), method })
        expect(reply.status).toBe(method === 'OPTIONS' ? 200 : 405)
        if (method !== 'OPTIONS') expect(reply.headers.allow).toBe('POST, PUT, PATCH, OPTIONS')
        expect(reply.headers).not.toHaveProperty('location')
      }
    }
    expect(asked).toEqual([])
  },
)

test('R-020 other methods and other resources are refused, and no bytes are stored', async () => {
  const asked: string[] = []
  const hooks = { access: ({ action }: { action: string }) => void asked.push(action) }
  const site = await serve({ hooks })
  const url = await draft9.started(site, '')
  asked.splice(0)
  const sent = draft9.creation(site, 'hello', draft9.end)
  const report = await send({ ...sent, method: 'REPORT' })
  expect([report.status, report.headers.allow]).toEqual([405, 'POST, PUT, PATCH, OPTIONS'])
  for (const method of ['POST', 'PUT']) {
    const there = await send({ ...sent, method, url })
    expect([there.status, there.headers.allow]).toEqual([405, 'HEAD, GET, PATCH, DELETE, OPTIONS'])
    expect((await send({ ...sent, method, url: `${site.origin}/elsewhere` })).status).toBe(404)
  }
  expect(asked).toEqual([])
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '0', 'upload-complete': '?0' })
})

describe.each(stores)('$store store', ({ compose }) => {
  test('R-021 the upload exists, and a 104 announces it, before the body is read', async () => {
    const site = await serve({ composer: await compose(), interimResponses: true })
    const { request, reply, url } = await announced(site, 9, '', {
      ...draft9.end,
      'content-length': '5',
    })
    const { offset, finished } = await site.handler.uploads.inspect(idIn(url))
    expect([offset, finished]).toEqual([0, false])
    request.end('hello')
    expect((await reply).status).toBe(201)
    expect(await download(url)).toBe('hello')
  })
})

/** Starts a creation, and resolves when a 104 gives its URL. The test sends the remaining body. */
async function announced(site: Site, version: Version, body: string, fields: Fields) {
  const { body: first, ...sent } = draftOf(version).creation(site, body, fields)
  const { request, reply } = openRequest({ ...sent, ...(body !== '' && { body: first! }) })
  const url = await new Promise<string>((resolve) => {
    request.on('information', ({ headers }) => {
      resolve(new URL(String(headers.location), site.origin).href)
    })
  })
  return { request, reply, url }
}

function idIn(url: string): string {
  return url.split('/').at(-1)!
}

test.each(versions)(
  'R-022 a whole representation gets the response that the application chooses, version %s',
  async (version) => {
    const draft = draftOf(version)
    const response = { status: 202, headers: { Location: '/photos/7', 'X-Photo': '7' }, body: 'ok' }
    const site = await serve({ hooks: { preFinish: () => ({ response }) } })
    const reply = await draft.create(site, 'hello', draft.end)
    expect([reply.status, reply.text]).toEqual([202, 'ok'])
    expect(reply.headers).toMatchObject({
      ...draft.end,
      location: '/photos/7',
      'x-photo': '7',
      'upload-offset': '5',
    })
  },
)

test.each(versions)('R-023 a part gets the remaining time, version %s', async (version) => {
  const draft = draftOf(version)
  const site = await serve({ expiration: { after: 60_000 } })
  const reply = await draft.create(site, 'hello', draft.more)
  const key = (version ?? 9) <= 6 ? 'expires' : 'max-age'
  expect(limitIn(reply, key)).toBeOneOf([60, 59])
})

test('R-023 without limits a part gets min-size=0', async () => {
  const reply = await draft9.create(await serve(), 'hello', draft9.more)
  expect(reply.headers['upload-limit']).toBe('min-size=0')
})

const naming = versions.filter((version) => version !== undefined)

test.each(naming.flatMap((version) => [true, false].map((isEnd) => ({ version, isEnd }))))(
  'R-024 interim and final responses name the same Location, version $version, the end: $isEnd',
  async ({ version, isEnd }) => {
    const draft = draftOf(version)
    const site = await serve({
      interimResponses: true,
      progressInterval: 1,
      location: 'absolute',
    })
    const body = Buffer.alloc(8_000_000, 'x')
    const { request, reply } = openRequest(draft.creation(site, body, draft.completes(isEnd)))
    const locations: unknown[] = []
    request.on('information', ({ headers }) => locations.push(headers.location))
    request.end()
    const final = await reply
    expect(locations[0]).toBe(final.headers.location)
    // Those that report progress may leave it out.
    expect([...new Set(locations)].filter((location) => location !== undefined)).toEqual([
      locations[0],
    ])
    expect(final.headers.location).toMatch(`${site.origin}/files/`)
  },
)

test("R-024 the application's final response may name another Location", async () => {
  const response = { headers: { location: '/photos/7' } }
  const site = await serve({ interimResponses: true, hooks: { preFinish: () => ({ response }) } })
  const { request, reply, url } = await announced(site, 9, 'hello', draft9.end)
  request.end()
  expect((await reply).headers).toMatchObject({ location: '/photos/7', 'upload-complete': '?1' })
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?1' })
})

test.each(['a failure of the storage', 'a rejection by a hook'])(
  'R-024 R-031 the response to %s has the Location of the interim response too',
  async (failure) => {
    const { composer } = await failingStore()
    const stop = { status: 422 }
    const site = await serve({
      interimResponses: true,
      progressInterval: 1,
      logger: silent,
      ...(failure.startsWith('a failure')
        ? { composer }
        : { hooks: { postReceive: ({ offset }) => (offset > 0 ? { stop } : undefined) } }),
    })
    const fields = { ...draft9.end, 'content-length': '11' }
    const { request, reply, url } = await announced(site, 9, 'hello', fields)
    const final = await reply
    request.destroy()
    expect(final.status).toBe(failure.startsWith('a failure') ? 500 : 422)
    expect(urlIn(final, site)).toBe(url)
  },
)

describe.each(versions)('the length of a creation, version %s', (version) => {
  const draft = draftOf(version)
  const cases = [
    ['is that of Upload-Length', { ...draft.more, 'upload-length': '11' }, '11'],
    ['is that of a body that is the end', draft.end, '5'],
    ['is that of both, when they agree', { ...draft.end, 'upload-length': '5' }, '5'],
    ['is unknown for a part without Upload-Length', draft.more, undefined],
    [
      'is that of Upload-Length when the body is chunked',
      { ...draft.more, ...chunked, 'upload-length': '11' },
      '11',
    ],
    ['is unknown for a chunked part', { ...draft.more, ...chunked }, undefined],
    ['is known at the end of a chunked body that is the end', { ...draft.end, ...chunked }, '5'],
  ] as const
  test.each(cases)('R-025 %s', async (_, fields, length) => {
    const site = await serve()
    const reply = await draft.create(site, 'hello', fields)
    expect(reply.status).toBe(201)
    expect((await draft.stateOf(urlIn(reply, site)))['upload-length']).toBe(length)
  })
})

test.each([
  ['from the size of a body that is the end', { 'content-length': '11' }, 11],
  ['from Upload-Length', { ...chunked, 'upload-length': '11' }, 11],
  ['unknown while a chunked body that is the end still arrives', chunked, undefined],
] as const)('R-025 the length is recorded before the body: %s', async (_, fields, length) => {
  const site = await serve({ interimResponses: true })
  const open = await announced(site, 9, 'hello', { ...draft9.end, ...fields })
  // `inspect` does not take over.
  const { upload } = await site.handler.uploads.inspect(idIn(open.url))
  expect(upload.length).toBe(length)
  open.request.end(' world')
  expect((await open.reply).headers).toMatchObject({ ...draft9.end, 'upload-offset': '11' })
})

describe.each(versions)(
  'version %s: a creation with contradictory lengths is refused',
  (version) => {
    const draft = draftOf(version)
    const cases = [
      ['an end that is longer than Upload-Length', { ...draft.end, 'upload-length': '4' }],
      ['an end that is shorter than Upload-Length', { ...draft.end, 'upload-length': '6' }],
      ['a part that is longer than Upload-Length', { ...draft.more, 'upload-length': '4' }],
    ] as const
    test.each(cases)('R-026 R-027 %s gets 400, and nothing is created', async (_, fields) => {
      const asked: string[] = []
      const site = await serve({ hooks: { access: ({ action }) => void asked.push(action) } })
      const reply = await draft.create(site, 'hello', fields)
      expect([reply.status, reply.headers['upload-offset']]).toEqual([400, undefined])
      expect(reply.headers).toMatchObject(draft.more)
      expect(reply.headers).not.toHaveProperty('location')
      expect(problemIn(reply)).toMatchObject({
        type: 'https://iana.org/assignments/http-problem-types#inconsistent-upload-length',
      })
      expect(asked).toEqual([])
    })
  },
)

test.each(versions)(
  'R-027 a part as long as Upload-Length is valid, and leaves the upload incomplete, version %s',
  async (version) => {
    const draft = draftOf(version)
    const site = await serve()
    const fields = { ...draft.more, 'upload-length': '5' }
    const reply = await draft.create(site, 'hello', fields)
    expect(reply.status).toBe(201)
    const url = urlIn(reply, site)
    expect(await draft.stateOf(url)).toMatchObject({ ...draft.more, 'upload-offset': '5' })
    const completed = await draft.append(url, 5, '', draft.end)
    expect(completed.headers).toMatchObject(draft.end)
  },
)

const framings = [{ 'content-length': '11' }, { ...chunked, 'upload-length': '11' }, chunked]

test.each(naming.flatMap((version) => framings.map((framing) => ({ version, framing }))))(
  'R-029 a creation whose connection breaks keeps its bytes, incomplete: $version, $framing',
  async ({ version, framing }) => {
    const draft = draftOf(version)
    const site = await serve({ interimResponses: true })
    const fields = { ...draft.end, ...framing }
    const { request, reply, url } = await announced(site, version, 'hello', fields)
    await until(
      () => site.handler.uploads.inspect(idIn(url)),
      ({ offset }) => offset === 5,
    )
    request.destroy()
    await expect(reply).rejects.toThrow()
    const state = await draft.stateOf(url)
    expect(state).toMatchObject({ ...draft.more, 'upload-offset': '5' })
    expect(state['upload-length']).toBe(framing === chunked ? undefined : '11')
    const rest = await draft.append(url, 5, ' world', draft.end)
    expect(rest.headers).toMatchObject(draft.end)
    expect(await download(url)).toBe('hello world')
  },
)

const final = { status: 422, headers: { 'x-why': 'virus' }, body: 'no' }

/** Asserts that each of these responses is the final rejection. */
async function expectFinal(replies: readonly Reply[], version: Version) {
  for (const { status, headers } of replies) {
    expect(status).toBe(422)
    expect(headers).toMatchObject({ ...draftOf(version).end, 'x-why': 'virus' })
  }
}

test.each(versions)(
  'R-030 a rejection of the whole is final, and every later request gets it, version %s',
  async (version) => {
    const draft = draftOf(version)
    const site = await serve({ hooks: { preFinish: () => ({ reject: final }) } })
    const reply = await draft.create(site, 'hello', draft.end)
    expect(reply.text).toBe('no')
    const url = urlIn(reply, site)
    const again = await draft.append(url, 5, '', draft.end)
    expect(again.text).toBe('no')
    await expectFinal([reply, again, await draft.ask('HEAD', url)], version)
  },
)

test.each(versions)(
  'R-030 an upload can be rejected permanently before all bytes arrive, version %s',
  async (version) => {
    const draft = draftOf(version)
    const composer = memoryComposer()
    const site = await serve({
      composer,
      progressInterval: 1,
      hooks: { postReceive: ({ offset }) => (offset > 0 ? { stop: final } : undefined) },
    })
    const fields = { ...draft.end, 'content-length': '11' }
    const { request, reply } = openRequest(draft.creation(site, 'hello', fields))
    const refused = await reply
    request.destroy()
    const url = urlIn(refused, site)
    const rest = await draft.append(url, 5, ' world', draft.end)
    await expectFinal([refused, rest, await draft.ask('HEAD', url)], version)
    const { dataStore, infoStore } = composer.slots()
    const upload = (await infoStore!.get(idIn(url), noAbort))!
    const { offset } = await dataStore!.stat(upload, { signal: new AbortController().signal })
    expect([offset, upload.length, upload.state.kind]).toEqual([5, 11, 'rejected'])
  },
)

test.each(versions)(
  'R-031 a failure of the storage gets 5xx with Location, not complete, version %s',
  async (version) => {
    const draft = draftOf(version)
    const { composer, fails } = await failingStore()
    const site = await serve({ composer, logger: silent })
    const reply = await draft.create(site, 'hello', draft.end)
    expect([fails(), reply.status]).toEqual([1, 500])
    expect(reply.headers).toMatchObject(draft.more)
    // A 5xx makes the client resume, so it gets the URL.
    const url = urlIn(reply, site)
    expect(await draft.stateOf(url)).toMatchObject({ ...draft.more, 'upload-offset': '0' })
    const resumed = await draft.append(url, 0, 'hello', draft.end)
    expect(resumed.headers).toMatchObject(draft.end)
  },
)

test.each(versions)(
  'R-031 a request refused before the upload exists gets 4xx without Location, version %s',
  async (version) => {
    const draft = draftOf(version)
    const reject = { status: 403, body: 'not you' }
    for (const hooks of [{ access: () => ({ reject }) }, { preCreate: () => ({ reject }) }]) {
      const site = await serve({ interimResponses: true, hooks })
      const { request, reply } = openRequest(draft.creation(site, 'hello', draft.end))
      let interims = 0
      request.on('information', () => interims++)
      request.end()
      const { status, text, headers } = await reply
      expect([status, text, interims]).toEqual([403, 'not you', 0])
      expect(headers).toMatchObject(draft.more)
      expect(headers).not.toHaveProperty('location')
    }
  },
)

/** A store whose first append fails. */
async function failingStore() {
  const { StoreComposer } = await import('tuskit')
  const { MemoryInfoStore, MemoryStore } = await import('tuskit/memory-store')
  const composer = new StoreComposer()
  const store = new MemoryStore()
  composer.use(store, new MemoryInfoStore())
  let failures = 0
  composer.useDataStore({
    maxSize: store.maxSize,
    locate: (upload) => store.locate(upload),
    create: (upload, options) => store.create(upload, options),
    stat: (upload, options) => store.stat(upload, options),
    append(upload, from, body, options) {
      if (failures++ === 0) throw new Error('The disk is on fire')
      return store.append(upload, from, body, options)
    },
  })
  return { composer, fails: () => Math.min(failures, 1) }
}

test('R-033 a part is never mistaken for a whole representation', async () => {
  const site = await serve()
  // An unknown version is refused.
  const unknown = await draftOf(undefined).create(site, 'hello', {
    'upload-complete': '?0',
    'upload-draft-interop-version': '99',
  })
  expect([unknown.status, problemIn(unknown).code]).toEqual([
    400,
    'ERR_UNSUPPORTED_INTEROP_VERSION',
  ])
  expect(unknown.headers).not.toHaveProperty('location')
  // Without a version, the request creates a part.
  const none = await draftOf(undefined).create(site, 'hello', { 'upload-complete': '?0' })
  expect(none.headers).toMatchObject({ 'upload-complete': '?0', 'upload-offset': '5' })
})

test.each(versions)(
  'R-034 an upload below min-size is accepted whole, without 104, version %s',
  async (version) => {
    const draft = draftOf(version)
    const options: Partial<HandlerOptions> = { interimResponses: true, minSize: 10 }
    const site = await serve(options)
    const { request, reply } = openRequest(draft.creation(site, 'hello', draft.end))
    let interims = 0
    request.on('information', () => interims++)
    request.end()
    const whole = await reply
    expect(whole.headers).toMatchObject(draft.end)
    expect(interims).toBe(0)
    expect(await download(urlIn(whole, site))).toBe('hello')
    const fields = { ...draft.more, 'upload-length': '9' }
    const part = await draft.create(site, 'hello', fields)
    expect([part.status, problemIn(part).code]).toEqual([400, 'ERR_UPLOAD_TOO_SMALL'])
    expect(part.headers).toMatchObject({ 'upload-limit': 'min-size=10', ...draft.more })
    expect(part.headers).not.toHaveProperty('location')
    const large = { ...draft.more, 'upload-length': '10' }
    expect((await draft.create(site, 'hello', large)).status).toBe(201)
    // The length is not known yet.
    expect((await draft.create(site, 'hello', draft.more)).status).toBe(201)
  },
)

test('R-029 R-034 a small upload whose connection breaks is not complete either', async () => {
  const created: string[] = []
  const site = await serve({
    interimResponses: true,
    minSize: 20,
    hooks: { postCreate: ({ upload }) => void created.push(upload.id) },
  })
  const fields = { ...draft9.end, 'content-length': '11' }
  const { request, reply } = openRequest(draft9.creation(site, 'hello', fields))
  await until(
    async () => created.length,
    (count) => count === 1,
  )
  request.destroy()
  await expect(reply).rejects.toThrow()
  expect((await draft9.ask('HEAD', `${site.origin}/files/${created[0]}`)).headers).toMatchObject({
    'upload-complete': '?0',
  })
})

test('R-035 URLs are unique and reveal nothing about the storage', async () => {
  const site = await serve()
  const urls = new Set<string>()
  for (let i = 0; i < 20; i++) urls.add(urlIn(await draft9.create(site, '', draft9.more), site))
  expect(urls.size).toBe(20)
  for (const url of urls) expect(url).toMatch(/\/files\/[0-9a-f]{32}$/)
})

test('R-035 no response reveals where the data is stored', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory) })
  const part = await draft9.create(site, 'hello', draft9.more)
  const url = urlIn(part, site)
  const replies = [
    part,
    await draft9.ask('HEAD', url),
    await draft9.append(url, 4, 'o', draft9.end),
    await draft9.append(url, 5, ' world', draft9.end),
    await send({ method: 'GET', url }),
    await draft9.create(site, 'hello', draft9.end),
  ]
  expect(replies.map(({ status }) => status)).toEqual([201, 204, 409, 201, 200, 201])
  for (const { headers, text } of replies) {
    expect(JSON.stringify(headers) + text).not.toContain(basename(directory))
  }
})

test('R-035 the URL of an upload is not given to another', async () => {
  const site = await serve({ generateId: () => 'one' })
  const url = urlIn(await draft9.create(site, '', draft9.more), site)
  const second = await draft9.create(site, '', draft9.more)
  expect([second.status, problemIn(second).code]).toEqual([422, 'ERR_ID_TAKEN'])
  expect(second.headers).not.toHaveProperty('location')
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '0' })
})

test('R-020 an append to the creation URL creates nothing', async () => {
  const site = await serve()
  const reply = await draft9.create(site, ' world', { ...draft9.end, 'upload-offset': '5' })
  expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_UNEXPECTED_FIELD'])
  expect(reply.headers).not.toHaveProperty('location')
})
