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
  append,
  ask,
  chunked,
  completes,
  create,
  creation,
  end,
  type Fields,
  limitIn,
  more,
  problemIn,
  started,
  stateOf,
  urlIn,
  type Version,
  versions,
} from './draft.js'
import { silent } from '../../support/silent.js'
import { calm } from '../../support/stages.js'

const methods = ['POST', 'PUT', 'PATCH']
const each = methods.flatMap((method) => versions.map((version) => ({ method, version })))

describe.each(stores)('$store store', ({ compose }) => {
  test.each(each)(
    'R-020 R-022 $method brings a whole representation, version $version',
    async ({ method, version }) => {
      const site = await serve({ composer: await compose() })
      const reply = await send({ ...creation(site, version, 'hello', end(version)), method })
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({ ...end(version), 'upload-offset': '5' })
      const url = urlIn(reply, site)
      expect(await download(url)).toBe('hello')
      expect(await stateOf(url, version)).toMatchObject({ ...end(version), 'upload-length': '5' })
    },
  )

  test.each(each)(
    'R-020 R-023 $method brings a part, version $version: 201 with Location and Upload-Limit',
    async ({ method, version }) => {
      const site = await serve({ composer: await compose(), maxSize: 1000 })
      const headers = { ...more(version), 'upload-length': '11' }
      const reply = await send({ ...creation(site, version, 'hello', headers), method })
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({
        ...more(version),
        'upload-offset': '5',
        'upload-limit': 'max-size=1000',
      })
      const url = urlIn(reply, site)
      expect((await append(url, version, 5, ' world', end(version))).status).toBe(201)
      expect(await download(url)).toBe('hello world')
    },
  )

  test.each(versions)(
    'R-028 an empty creation that is not the end, version %s',
    async (version) => {
      const site = await serve({ composer: await compose() })
      const reply = await create(site, version, '', more(version))
      expect(reply.status).toBe(201)
      expect(reply.headers).toMatchObject({ ...more(version), 'upload-offset': '0' })
      const url = urlIn(reply, site)
      expect(await stateOf(url, version)).toMatchObject({ ...more(version), 'upload-offset': '0' })
      const appended = await append(url, version, 0, 'hello', end(version))
      expect(appended.headers).toMatchObject({ ...end(version), 'upload-offset': '5' })
    },
  )

  test.each(versions)(
    'R-028 an empty representation is complete at once, version %s',
    async (version) => {
      const site = await serve({ composer: await compose() })
      for (const fields of [{}, chunked]) {
        const reply = await create(site, version, '', { ...end(version), ...fields })
        expect(reply.status).toBe(201)
        expect(reply.headers).toMatchObject({ ...end(version), 'upload-offset': '0' })
        const url = urlIn(reply, site)
        expect(await stateOf(url, version)).toMatchObject({ ...end(version), 'upload-length': '0' })
        expect(await download(url)).toBe('')
      }
    },
  )
})

test.each(['HEAD', 'GET', 'DELETE', 'OPTIONS'])(
  'R-020 %s never creates, whatever it says of a body',
  async (method) => {
    const asked: string[] = []
    const site = await serve({ hooks: { access: ({ action }) => void asked.push(action) } })
    for (const version of versions) {
      for (const says of [end(version), more(version)]) {
        const reply = await send({ ...creation(site, version, 'hello', says), method })
        expect(reply.status).toBe(method === 'OPTIONS' ? 200 : 405)
        if (method !== 'OPTIONS') expect(reply.headers.allow).toBe('POST, PUT, PATCH, OPTIONS')
        expect(reply.headers).not.toHaveProperty('location')
      }
    }
    expect(asked).toEqual([])
  },
)

test('R-020 other methods and other resources are declined, and no bytes are taken', async () => {
  const asked: string[] = []
  const hooks = { access: ({ action }: { action: string }) => void asked.push(action) }
  const site = await serve({ hooks })
  const url = await started(site, 9, '')
  asked.splice(0)
  const sent = creation(site, 9, 'hello', end(9))
  const report = await send({ ...sent, method: 'REPORT' })
  expect([report.status, report.headers.allow]).toEqual([405, 'POST, PUT, PATCH, OPTIONS'])
  for (const method of ['POST', 'PUT']) {
    const there = await send({ ...sent, method, url })
    expect([there.status, there.headers.allow]).toEqual([405, 'HEAD, GET, PATCH, DELETE, OPTIONS'])
    expect((await send({ ...sent, method, url: `${site.origin}/elsewhere` })).status).toBe(404)
  }
  expect(asked).toEqual([])
  expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '0', 'upload-complete': '?0' })
})

describe.each(stores)('$store store', ({ compose }) => {
  test('R-021 the upload exists, and is told, before the body is read', async () => {
    const site = await serve({ composer: await compose(), interimResponses: true })
    const { request, reply, url } = await announced(site, 9, '', {
      ...end(9),
      'content-length': '5',
    })
    const { offset, finished } = await site.handler.uploads.inspect(idIn(url))
    expect([offset, finished]).toEqual([0, false])
    request.end('hello')
    expect((await reply).status).toBe(201)
    expect(await download(url)).toBe('hello')
  })
})

/** A creation that is told where its upload is, and whose body the test goes on with. */
async function announced(site: Site, version: Version, body: string, fields: Fields) {
  const { body: first, ...sent } = creation(site, version, body, fields)
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
  'R-022 the answer to the whole is what the application answers, Location included, version %s',
  async (version) => {
    const response = { status: 202, headers: { Location: '/photos/7', 'X-Photo': '7' }, body: 'ok' }
    const site = await serve({ hooks: { preFinish: () => ({ response }) } })
    const reply = await create(site, version, 'hello', end(version))
    expect([reply.status, reply.text]).toEqual([202, 'ok'])
    expect(reply.headers).toMatchObject({
      ...end(version),
      location: '/photos/7',
      'x-photo': '7',
      'upload-offset': '5',
    })
  },
)

test.each(versions)('R-023 a part is told the time that is left, version %s', async (version) => {
  const site = await serve({ expiration: { after: 60_000 } })
  const reply = await create(site, version, 'hello', more(version))
  const key = (version ?? 9) <= 6 ? 'expires' : 'max-age'
  expect(limitIn(reply, key)).toBeOneOf([60, 59])
})

test('R-023 without limits a part is told that min-size is 0', async () => {
  const reply = await create(await serve(), 9, 'hello', more(9))
  expect(reply.headers['upload-limit']).toBe('min-size=0')
})

const naming = versions.filter((version) => version !== undefined)

test.each(naming.flatMap((version) => [true, false].map((isEnd) => ({ version, isEnd }))))(
  'R-024 interim and final responses name the same Location, version $version, the end: $isEnd',
  async ({ version, isEnd }) => {
    const site = await serve({
      interimResponses: true,
      progressInterval: 1,
      location: 'absolute',
    })
    const body = Buffer.alloc(8_000_000, 'x')
    const { request, reply } = openRequest(creation(site, version, body, completes(version, isEnd)))
    const told: unknown[] = []
    request.on('information', ({ headers }) => told.push(headers.location))
    request.end()
    const final = await reply
    expect(told[0]).toBe(final.headers.location)
    // Those that tell progress may leave it out.
    expect([...new Set(told)].filter((location) => location !== undefined)).toEqual([told[0]])
    expect(final.headers.location).toMatch(`${site.origin}/files/`)
  },
)

test('R-024 the Location of the application, once it is complete, may be another', async () => {
  const response = { headers: { location: '/photos/7' } }
  const site = await serve({ interimResponses: true, hooks: { preFinish: () => ({ response }) } })
  const { request, reply, url } = await announced(site, 9, 'hello', end(9))
  request.end()
  expect((await reply).headers).toMatchObject({ location: '/photos/7', 'upload-complete': '?1' })
  expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?1' })
})

test.each(['a failure of the storage', 'a refusal by a hook'])(
  'R-024 R-031 the Location of the interim response stands in that of %s, too',
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
    const fields = { ...end(9), 'content-length': '11' }
    const { request, reply, url } = await announced(site, 9, 'hello', fields)
    const final = await reply
    request.destroy()
    expect(final.status).toBe(failure.startsWith('a failure') ? 500 : 422)
    expect(urlIn(final, site)).toBe(url)
  },
)

describe.each(versions)('version %s: the length is', (version) => {
  const cases = [
    ['that of Upload-Length', { ...more(version), 'upload-length': '11' }, '11'],
    ['that of the body that is the end', end(version), '5'],
    ['that of both, when they agree', { ...end(version), 'upload-length': '5' }, '5'],
    ['not known of a part without Upload-Length', more(version), undefined],
    [
      'that of Upload-Length when the body is chunked',
      { ...more(version), ...chunked, 'upload-length': '11' },
      '11',
    ],
    ['not known of a chunked part', { ...more(version), ...chunked }, undefined],
    ['known at the end of a chunked body that is the end', { ...end(version), ...chunked }, '5'],
  ] as const
  test.each(cases)('R-025 %s', async (_, fields, length) => {
    const site = await serve()
    const reply = await create(site, version, 'hello', fields)
    expect(reply.status).toBe(201)
    expect((await stateOf(urlIn(reply, site), version))['upload-length']).toBe(length)
  })
})

test.each([
  ['told by the size of a body that is the end', { 'content-length': '11' }, 11],
  ['told by Upload-Length', { ...chunked, 'upload-length': '11' }, 11],
  ['not known while a chunked body that is the end still comes', chunked, undefined],
] as const)('R-025 the length is recorded before the body: %s', async (_, fields, length) => {
  const site = await serve({ interimResponses: true })
  const open = await announced(site, 9, 'hello', { ...end(9), ...fields })
  // Inspects without taking over.
  const { upload } = await site.handler.uploads.inspect(idIn(open.url))
  expect(upload.length).toBe(length)
  open.request.end(' world')
  expect((await open.reply).headers).toMatchObject({ ...end(9), 'upload-offset': '11' })
})

describe.each(versions)('version %s: a creation that contradicts itself is refused', (version) => {
  const cases = [
    ['R-026 the end, longer than its length', { ...end(version), 'upload-length': '4' }],
    ['R-026 the end, shorter than its length', { ...end(version), 'upload-length': '6' }],
    ['R-027 a part that is longer than the whole', { ...more(version), 'upload-length': '4' }],
  ] as const
  test.each(cases)('R-026 R-027 %s', async (_, fields) => {
    const asked: string[] = []
    const site = await serve({ hooks: { access: ({ action }) => void asked.push(action) } })
    const reply = await create(site, version, 'hello', fields)
    expect([reply.status, reply.headers['upload-offset']]).toEqual([400, undefined])
    expect(reply.headers).toMatchObject(more(version))
    expect(reply.headers).not.toHaveProperty('location')
    expect(problemIn(reply)).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#inconsistent-upload-length',
    })
    expect(asked).toEqual([])
  })
})

test.each(versions)(
  'R-027 a part as long as the whole is legal, and leaves the upload incomplete, version %s',
  async (version) => {
    const site = await serve()
    const fields = { ...more(version), 'upload-length': '5' }
    const reply = await create(site, version, 'hello', fields)
    expect(reply.status).toBe(201)
    const url = urlIn(reply, site)
    expect(await stateOf(url, version)).toMatchObject({ ...more(version), 'upload-offset': '5' })
    const completed = await append(url, version, 5, '', end(version))
    expect(completed.headers).toMatchObject(end(version))
  },
)

const framings = [{ 'content-length': '11' }, { ...chunked, 'upload-length': '11' }, chunked]

test.each(naming.flatMap((version) => framings.map((framing) => ({ version, framing }))))(
  'R-029 a creation whose connection breaks keeps what came, not complete: $version, $framing',
  async ({ version, framing }) => {
    const site = await serve({ interimResponses: true })
    const fields = { ...end(version), ...framing }
    const { request, reply, url } = await announced(site, version, 'hello', fields)
    await until(
      () => site.handler.uploads.inspect(idIn(url)),
      ({ offset }) => offset === 5,
    )
    request.destroy()
    await expect(reply).rejects.toThrow()
    const state = await stateOf(url, version)
    expect(state).toMatchObject({ ...more(version), 'upload-offset': '5' })
    expect(state['upload-length']).toBe(framing === chunked ? undefined : '11')
    const rest = await append(url, version, 5, ' world', end(version))
    expect(rest.headers).toMatchObject(end(version))
    expect(await download(url)).toBe('hello world')
  },
)

const final = { status: 422, headers: { 'x-why': 'virus' }, body: 'no' }

/** Whoever asks gets the refusal, which is final. */
async function expectFinal(replies: readonly Reply[], version: Version) {
  for (const { status, headers } of replies) {
    expect(status).toBe(422)
    expect(headers).toMatchObject({ ...end(version), 'x-why': 'virus' })
  }
}

test.each(versions)(
  'R-030 a refusal of the whole ends the upload, and is the answer from then on, version %s',
  async (version) => {
    const site = await serve({ hooks: { preFinish: () => ({ reject: final }) } })
    const reply = await create(site, version, 'hello', end(version))
    expect(reply.text).toBe('no')
    const url = urlIn(reply, site)
    const again = await append(url, version, 5, '', end(version))
    expect(again.text).toBe('no')
    await expectFinal([reply, again, await ask('HEAD', url, version)], version)
  },
)

test.each(versions)(
  'R-030 an upload may be refused for good before all of it came, version %s',
  async (version) => {
    const composer = memoryComposer()
    const site = await serve({
      composer,
      progressInterval: 1,
      hooks: { postReceive: ({ offset }) => (offset > 0 ? { stop: final } : undefined) },
    })
    const fields = { ...end(version), 'content-length': '11' }
    const { request, reply } = openRequest(creation(site, version, 'hello', fields))
    const refused = await reply
    request.destroy()
    const url = urlIn(refused, site)
    const rest = await append(url, version, 5, ' world', end(version))
    await expectFinal([refused, rest, await ask('HEAD', url, version)], version)
    const { dataStore, infoStore } = composer.slots()
    const upload = (await infoStore!.get(idIn(url), calm))!
    const { offset } = await dataStore!.stat(upload, { signal: new AbortController().signal })
    expect([offset, upload.length, upload.state.kind]).toEqual([5, 11, 'rejected'])
  },
)

test.each(versions)(
  'R-031 a failure of the storage is answered 5xx, not complete, with Location, version %s',
  async (version) => {
    const { composer, fails } = await failingStore()
    const site = await serve({ composer, logger: silent })
    const reply = await create(site, version, 'hello', end(version))
    expect([fails(), reply.status]).toEqual([1, 500])
    expect(reply.headers).toMatchObject(more(version))
    // 5xx tells the client to resume, so it is told where.
    const url = urlIn(reply, site)
    expect(await stateOf(url, version)).toMatchObject({ ...more(version), 'upload-offset': '0' })
    const resumed = await append(url, version, 0, 'hello', end(version))
    expect(resumed.headers).toMatchObject(end(version))
  },
)

test.each(versions)(
  'R-031 what is refused before there is an upload is 4xx, without Location, version %s',
  async (version) => {
    const reject = { status: 403, body: 'not you' }
    for (const hooks of [{ access: () => ({ reject }) }, { preCreate: () => ({ reject }) }]) {
      const site = await serve({ interimResponses: true, hooks })
      const { request, reply } = openRequest(creation(site, version, 'hello', end(version)))
      let interims = 0
      request.on('information', () => interims++)
      request.end()
      const { status, text, headers } = await reply
      expect([status, text, interims]).toEqual([403, 'not you', 0])
      expect(headers).toMatchObject(more(version))
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

test('R-033 a part is never taken for the whole', async () => {
  const site = await serve()
  // Neither by a version that is not known,
  const unknown = await create(site, undefined, 'hello', {
    'upload-complete': '?0',
    'upload-draft-interop-version': '99',
  })
  expect([unknown.status, problemIn(unknown).code]).toEqual([
    400,
    'ERR_UNSUPPORTED_INTEROP_VERSION',
  ])
  expect(unknown.headers).not.toHaveProperty('location')
  // nor without any.
  const none = await create(site, undefined, 'hello', { 'upload-complete': '?0' })
  expect(none.headers).toMatchObject({ 'upload-complete': '?0', 'upload-offset': '5' })
})

test.each(versions)(
  'R-034 below min-size an upload comes whole, and is not offered to be resumed, version %s',
  async (version) => {
    const options: Partial<HandlerOptions> = { interimResponses: true, minSize: 10 }
    const site = await serve(options)
    const { request, reply } = openRequest(creation(site, version, 'hello', end(version)))
    let interims = 0
    request.on('information', () => interims++)
    request.end()
    const whole = await reply
    expect(whole.headers).toMatchObject(end(version))
    expect(interims).toBe(0)
    expect(await download(urlIn(whole, site))).toBe('hello')
    const fields = { ...more(version), 'upload-length': '9' }
    const part = await create(site, version, 'hello', fields)
    expect([part.status, problemIn(part).code]).toEqual([400, 'ERR_UPLOAD_TOO_SMALL'])
    expect(part.headers).toMatchObject({ 'upload-limit': 'min-size=10', ...more(version) })
    expect(part.headers).not.toHaveProperty('location')
    const large = { ...more(version), 'upload-length': '10' }
    expect((await create(site, version, 'hello', large)).status).toBe(201)
    // How much it will be is not known yet.
    expect((await create(site, version, 'hello', more(version))).status).toBe(201)
  },
)

test('R-029 R-034 a small upload that is lost is not complete either', async () => {
  const created: string[] = []
  const site = await serve({
    interimResponses: true,
    minSize: 20,
    hooks: { postCreate: ({ upload }) => void created.push(upload.id) },
  })
  const fields = { ...end(9), 'content-length': '11' }
  const { request, reply } = openRequest(creation(site, 9, 'hello', fields))
  await until(
    async () => created.length,
    (count) => count === 1,
  )
  request.destroy()
  await expect(reply).rejects.toThrow()
  expect((await ask('HEAD', `${site.origin}/files/${created[0]}`, 9)).headers).toMatchObject({
    'upload-complete': '?0',
  })
})

test('R-035 URLs are unique and tell nothing of the storage', async () => {
  const site = await serve()
  const urls = new Set<string>()
  for (let i = 0; i < 20; i++) urls.add(urlIn(await create(site, 9, '', more(9)), site))
  expect(urls.size).toBe(20)
  for (const url of urls) expect(url).toMatch(/\/files\/[0-9a-f]{32}$/)
})

test('R-035 no response tells where the data lies', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory) })
  const part = await create(site, 9, 'hello', more(9))
  const url = urlIn(part, site)
  const replies = [
    part,
    await ask('HEAD', url, 9),
    await append(url, 9, 4, 'o', end(9)),
    await append(url, 9, 5, ' world', end(9)),
    await send({ method: 'GET', url }),
    await create(site, 9, 'hello', end(9)),
  ]
  expect(replies.map(({ status }) => status)).toEqual([201, 204, 409, 201, 200, 201])
  for (const { headers, text } of replies) {
    expect(JSON.stringify(headers) + text).not.toContain(basename(directory))
  }
})

test('R-035 the URL of an upload is not given to another', async () => {
  const site = await serve({ generateId: () => 'one' })
  const url = urlIn(await create(site, 9, '', more(9)), site)
  const second = await create(site, 9, '', more(9))
  expect([second.status, problemIn(second).code]).toEqual([422, 'ERR_ID_TAKEN'])
  expect(second.headers).not.toHaveProperty('location')
  expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '0' })
})

test('R-020 an append that missed its URL creates nothing', async () => {
  const site = await serve()
  const reply = await create(site, 9, ' world', { ...end(9), 'upload-offset': '5' })
  expect([reply.status, problemIn(reply).code]).toEqual([400, 'ERR_UNEXPECTED_FIELD'])
  expect(reply.headers).not.toHaveProperty('location')
})
