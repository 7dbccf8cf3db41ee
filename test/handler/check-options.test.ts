import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createHandler, createUploadServer, StoreComposer, type HandlerOptions } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { namesElsewhere } from '../../src/names-elsewhere.js'
import { read } from '../house/source-files.js'
import { createUpload, memoryComposer, openPatch, patch, post, serve } from '../support/serve.js'
import { newGate, keptLog, offsetOf } from '../support/stages.js'

const make = (options: object) =>
  createHandler({ basePath: '/files', composer: memoryComposer(), ...options } as HandlerOptions)

/** Returns the message that refuses an option. */
function refusalOf(options: object): string {
  try {
    make(options)
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return (error as TypeError).message
  }
  return 'accepted'
}

describe('an option that is wrong is refused by name, expectation and value', () => {
  const wrong: [option: string, values: unknown[], given?: RegExp][] = [
    ['basePath', ['', 7, null, 'files', '/files?a', '/a//b', '/../a', '/a b']],
    ['composer', [null, {}, 'memory', new MemoryStore()]],
    ['maxSize', [0, -1, 1.5, Number.NaN, -Infinity, '10', null, {}]],
    ['minSize', [-1, 1.5, Number.NaN, Infinity, 2 ** 53, '10', null, () => 10]],
    ['minAppendSize', [-1, 1.5, Number.NaN, Infinity, 2 ** 53, '10', null, () => 10]],
    ['maxAppendSize', [0, -1, 1.5, Number.NaN, -Infinity, 2 ** 53, '10', null, () => 10]],
    ['checksumMetadata', ['', 7, null, {}]],
    ['maxPartials', [0, -1, 1.5, Number.NaN, Infinity, '10', null]],
    ['maxFinals', [0, -1, 1.5, Number.NaN, Infinity, '10', null]],
    ['interimResponses', ['yes', 1, 104, null, {}]],
    ['generateId', ['id', 7, null]],
    ['location', ['', 'host', 'ftp://a', 'https://a/?b', 'https://a/#b', '/files', 7, true]],
    ['trustProxy', ['yes', -1, 1.5, null, {}, '10.0.0.1', ['10.0.0.1', 'proxy'], ['10.0.0.0/33']]],
    ['cors', ['*', 7, null]],
    ['expiration', [1000, null, 'a']],
    ['disable', ['creation', ['download', 'everything'], null]],
    ['takeoverAfter', [0, -1, '1s', Number.NaN, Infinity, 2 ** 31]],
    ['idleTimeout', [0, -1, '1s', Infinity]],
    ['lockTimeout', [0, '1s', Infinity]],
    ['settleTimeout', [0, '1s', Infinity]],
    ['flushTimeout', [0, '1s', Infinity]],
    ['storeTimeout', [0, '1s', Infinity]],
    ['hookTimeout', [0, '1s', Infinity]],
    ['preFinishTimeout', [0, '1s', -Infinity]],
    ['finishTimeout', [0, '1s', Infinity]],
    ['verdictRetention', [0, '1s', Infinity]],
    ['progressInterval', [0, '1s', Infinity]],
    ['bodyBuffer', [65_536, null]],
    ['logger', [null, {}, { error() {} }, () => {}]],
    ['hooks', [null, () => {}, [null], [{}, () => {}]]],
  ]
  const cases = wrong.flatMap(([option, values]) => values.map((value) => [option, value] as const))
  test.each(cases)('%s: %o', (option, value) => {
    const message = refusalOf({ [option]: value })
    expect(message).toContain(`'${option}'`)
    expect(message).toMatch(/must be .+, not .+/)
  })

  test.each([
    [{ expiration: { after: '1h' } }, 'expiration.after'],
    [{ expiration: { finishedAfter: 0 } }, 'expiration.finishedAfter'],
    [{ expiration: { after: 1, sweepEvery: 0 } }, 'expiration.sweepEvery'],
    [{ bodyBuffer: { perUpload: 1024 } }, 'bodyBuffer.perUpload'],
    [{ bodyBuffer: { total: '1m' } }, 'bodyBuffer.total'],
    [{ hooks: { preCreate: true } }, 'hooks.preCreate'],
    [{ cors: { origins: 'example.org' } }, 'cors.origins'],
    [{ cors: { maxAge: -1 } }, 'cors.maxAge'],
    [{ cors: new Map() }, 'cors'],
  ])('%j', (options, option) => {
    const message = refusalOf(options)
    expect(message).toMatch(/^createHandler: option '.+' must be .+, not .+/)
    expect(message).toContain(`'${option}'`)
  })

  test.each([{}, { sweepEvery: 1 }])('expiration without a time: %j', (expiration) => {
    expect(refusalOf({ expiration })).toMatch(
      /^createHandler: option 'expiration' must be an object with 'after', 'finishedAfter' or both, not /,
    )
  })

  test.each([
    [{ maxSise: 1 }, 'maxSise', 'maxSize'],
    [{ minAppendsize: 1 }, 'minAppendsize', 'minAppendSize'],
    [{ interimResponse: true }, 'interimResponse', 'interimResponses'],
    [
      { expiration: { after: 1, sweepsEvery: 1 } },
      'expiration.sweepsEvery',
      'expiration.sweepEvery',
    ],
    [{ bodyBuffer: { perupload: 65_536 } }, 'bodyBuffer.perupload', 'bodyBuffer.perUpload'],
    [{ hooks: { postfinish() {} } }, 'hooks.postfinish', 'hooks.postFinish'],
    [{ hooks: [{}, { postfinish() {} }] }, 'hooks[1].postfinish', 'hooks.postFinish'],
    [{ cors: { origin: '*' } }, 'cors.origin', 'cors.origins'],
    [{ gen() {} }, 'gen', 'generateId'],
    [{ cors: { cred: true } }, 'cors.cred', 'cors.credentials'],
  ])('%j is unknown, and the nearest name is offered', (options, name, nearest) => {
    const message = refusalOf(options)
    expect(message).toContain(`there is no option '${name}'; did you mean '${nearest}'?`)
  })

  test.each<[object, string, string]>([
    [{ path: '/' }, "'path'", "'basePath'"],
    [{ datastore: 1 }, "'datastore'", "'composer'"],
    [{ namingFunction() {} }, "'namingFunction'", "'generateId'"],
    [{ relativeLocation: true }, "'relativeLocation'", "'location'"],
    [{ respectForwardedHeaders: true }, "'respectForwardedHeaders'", "'trustProxy'"],
    [{ allowedOrigins: [] }, "'allowedOrigins'", "'cors.origins'"],
    [{ cors: { allowedOrigins: [] } }, "'cors.allowedOrigins'", "'cors.origins'"],
    [{ onUploadCreate() {} }, "'onUploadCreate'", "'hooks.preCreate'"],
    [{ hooks: { onUploadCreate() {} } }, "'hooks.onUploadCreate'", "'hooks.preCreate'"],
    [
      { hooks: { onUploadFinish() {} } },
      "'hooks.onUploadFinish'",
      "'hooks.preFinish' or 'hooks.postFinish'",
    ],
    [{ hooks: { onIncomingRequest() {} } }, "'hooks.onIncomingRequest'", "'hooks.access'"],
    [{ hooks: { 'pre-create': () => {} } }, "'hooks.pre-create'", "'hooks.preCreate'"],
    [{ hooks: { POST_FINISH() {} } }, "'hooks.POST_FINISH'", "'hooks.postFinish'"],
    [{ preFinish() {} }, "'preFinish'", "'hooks.preFinish'"],
  ])('%j has a name of other software, %s, and %s is offered', (options, name, ours) => {
    expect(refusalOf(options)).toBe(
      `createHandler: there is no option ${name}; did you mean ${ours}?`,
    )
  })

  test('each name of other software leads to an option that exists', () => {
    const known = read('docs/options.md')
    for (const path of Object.values(namesElsewhere).flat()) {
      const [name, inner = name] = path.split('.')
      if (name !== 'hooks') expect(known).toContain(`### \`${inner}\``)
      else expect(refusalOf({ hooks: { [inner!]: () => {} } })).toBe('accepted')
    }
  })

  test.each([
    [{ disable: ['download', 'expire'] }, 'expiration'],
    [{ disable: ['Checksums'] }, 'checksum'],
    [{ disable: ['ietf'] }, 'ietf-draft'],
    [{ location: 'Absolute' }, 'absolute'],
  ])('%j is a wrong value, and %s is offered', (options, nearest) => {
    expect(refusalOf(options)).toMatch(new RegExp(`, not .+; did you mean '${nearest}'\\?$`))
  })

  test.each([
    ['download', 'download'],
    ['terminate', 'termination'],
  ])('%j in place of a list is offered as one', (disable, nearest) => {
    expect(refusalOf({ disable })).toMatch(
      new RegExp(`'disable' must be an array of any of .+; did you mean \\['${nearest}'\\]\\?$`),
    )
  })

  test.each([
    { disable: ['everything'] },
    { disable: 'everything' },
    { location: 'https//a' },
    { disable: [7] },
  ])('%j resembles no known value, so none is offered', (options) => {
    expect(refusalOf(options)).not.toContain('did you mean')
  })

  test('a long value is cut', () => {
    expect(refusalOf({ location: 'a'.repeat(100_000) }).length).toBeLessThan(500)
  })

  test.each([
    [{ buckets: 1 }, 'buckets'],
    [{ max: 1 }, 'max'],
    [{ ge: 1 }, 'ge'],
    [{ hooks: { webhook() {} } }, 'hooks.webhook'],
    [{ expiration: { after: 1, ttl: 1 } }, 'expiration.ttl'],
  ])('%j resembles no known name, so none is offered', (options, name) => {
    const message = refusalOf(options)
    expect(message).toContain(`there is no option '${name}'`)
    expect(message).not.toContain('did you mean')
  })

  test('names are listed instead when they are few', () => {
    expect(refusalOf({ bodyBuffer: { size: 1 } })).toMatch(
      /there is no option 'bodyBuffer.size', only 'bodyBuffer.perUpload', 'bodyBuffer.total'$/,
    )
  })

  test('a class instance without a known hook', () => {
    class Checks {
      preCrate() {}
    }
    expect(refusalOf({ hooks: new Checks() })).toMatch(
      /^createHandler: option 'hooks' must be an object with any of 'access', 'preCreate', .+, not Checks \{\}$/,
    )
  })

  test('an origin with a path', () => {
    expect(refusalOf({ cors: { origins: 'https://a/' } })).toBe(
      "createHandler: option 'cors.origins' must be '*', an origin without a path, such as " +
        "'https://example.org', a RegExp, a list of these, or a function, not 'https://a/'",
    )
  })

  test.each(['maxSize', 'maxAppendSize', 'preFinishTimeout'])('%s may be Infinity', (option) => {
    expect(refusalOf({ [option]: Infinity })).toBe('accepted')
  })

  test.each([undefined, null, 7, 'options'])('options that are %o', (options) => {
    expect(() => createHandler(options as unknown as HandlerOptions)).toThrow(TypeError)
  })

  test('missing required options', () => {
    expect(refusalOf({ basePath: undefined })).toContain("'basePath' must be")
    expect(refusalOf({ composer: undefined })).toContain("'composer' must be a StoreComposer")
  })
})

test.each<[unknown[], string]>([
  [
    [undefined],
    "createUploadServer: argument 'listener' must be a handler or a function, not undefined",
  ],
  [[{}], "createUploadServer: argument 'listener' must be a handler or a function, not {}"],
  [[() => {}, { handler: {} }], "createUploadServer: option 'handler' must be a handler, not {}"],
])('createUploadServer(%o) is refused', (given, message) => {
  const make = () => createUploadServer(...(given as Parameters<typeof createUploadServer>))
  expect(make).toThrow(new TypeError(message))
})

describe('options that contradict each other or the stores', () => {
  test('missing stores', () => {
    expect(refusalOf({ composer: new StoreComposer() })).toMatch(
      /'composer' must be .+ DataStore, such as composer\.use\(new FileStore\(…\)\), not \{\}$/,
    )
    const data = new StoreComposer().useDataStore(new MemoryStore())
    expect(refusalOf({ composer: data })).toMatch(
      /'composer' must be .+ InfoStore, such as .+new FileInfoStore\(…\)\), not .+MemoryStore/,
    )
  })

  test('expiration without an index, or disabled', () => {
    const composer = new StoreComposer().use(new MemoryStore())
    composer.useInfoStore(new MemoryInfoStore())
    expect(refusalOf({ composer, expiration: { after: 1 } })).toContain('ExpiryIndex')
    expect(refusalOf({ expiration: { after: 1 }, disable: ['expiration'] })).toContain('disable')
  })

  test('a maxSize beyond the limit of the store', () => {
    const composer = memoryComposer()
    new MemoryStore({ maxSize: 10 }).useIn(composer)
    expect(refusalOf({ composer, maxSize: 11 })).toMatch(/maxSize.+10.+, not 11$/)
    expect(refusalOf({ composer, maxSize: 10 })).toBe('accepted')
    expect(refusalOf({ composer, maxSize: Infinity })).toBe('accepted')
  })

  test.each([
    [{ minSize: 11, maxSize: 10 }, /minSize.+10.+maxSize.+, not 11$/],
    [{ minAppendSize: 11, maxAppendSize: 10 }, /minAppendSize.+10.+maxAppendSize.+, not 11$/],
    // A smaller upload must come in one request, whose body is limited.
    [{ minSize: 12, maxAppendSize: 10 }, /minSize.+10.+maxAppendSize.+, not 12$/],
  ])('a minimum above the maximum: %j', (options, message) => {
    expect(refusalOf(options)).toMatch(message)
  })

  test.each([
    { minSize: 10, maxSize: 10 },
    { minAppendSize: 10, maxAppendSize: 10 },
    { minSize: 10, maxAppendSize: 10 },
    { minSize: 0, minAppendSize: 0, maxAppendSize: 1, maxSize: 1 },
    { minSize: 10, maxSize: () => 5 },
    { minSize: 10, minAppendSize: 20 },
    { maxSize: 10, minAppendSize: 20 },
  ])('but not %j', (options) => {
    expect(refusalOf(options)).toBe('accepted')
  })

  test('a minSize beyond the limit of the store', () => {
    const composer = memoryComposer()
    new MemoryStore({ maxSize: 10 }).useIn(composer)
    expect(refusalOf({ composer, minSize: 11 })).toMatch(/minSize.+10.+, not 11$/)
    expect(refusalOf({ composer, minSize: 10 })).toBe('accepted')
  })
})

test('options and slots are copied: later changes have no effect', async () => {
  const composer = memoryComposer()
  const hooks: { access?: () => { reject: true } } = {}
  const options = { maxSize: 10, hooks }
  const site = await serve({ composer, ...options })
  options.maxSize = 1
  hooks.access = () => ({ reject: true })
  composer.useDataStore(new MemoryStore({ maxSize: 1 }))
  expect((await post(site, { 'upload-length': '10' })).status).toBe(201)
})

test('a logger may be anything like console; by default errors go there', async () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => error.mockRestore())
  const generateId = () => {
    throw new Error('no ids')
  }
  const quiet = await serve({ generateId })
  expect((await post(quiet, { 'upload-length': '1' })).status).toBe(500)
  expect(error).toHaveBeenCalledTimes(1)
  const log = keptLog()
  const kept = await serve({ generateId, logger: log })
  expect((await post(kept, { 'upload-length': '1' })).status).toBe(500)
  expect(error).toHaveBeenCalledTimes(1)
  expect(log.lines.length).toBe(1)
})

test('a stalled client is cut after idleTimeout, and its bytes are kept', async () => {
  const site = await serve({ idleTimeout: 50 })
  const url = await createUpload(site, { 'upload-length': '10' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  const { status, headers } = await reply
  expect([status, headers['upload-offset']]).toEqual([503, '5'])
  expect(await offsetOf(url)).toBe(5)
})

test('a store that does not flush in flushTimeout loses the lock', async () => {
  const composer = memoryComposer()
  const store = composer.slots().dataStore!
  const slow = newGate()
  let hang = true
  composer.useDataStore({
    maxSize: Infinity,
    locate: (upload) => store.locate(upload),
    create: (upload, options) => store.create(upload, options),
    stat: (upload, options) => store.stat(upload, options),
    append(upload, from, body, options) {
      if (!hang) return store.append(upload, from, body, options)
      hang = false
      return new Promise((_, reject) => {
        const { signal } = options
        signal.addEventListener('abort', () => reject(signal.reason as Error))
        void (async () => {
          for await (const batch of body) await slow.pass().then(() => batch)
        })()
      })
    },
  })
  const site = await serve({ composer, flushTimeout: 50 })
  const url = await createUpload(site, { 'upload-length': '5' })
  expect((await patch(url, 0, 'hello')).status).toBe(503)
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  slow.open()
})
