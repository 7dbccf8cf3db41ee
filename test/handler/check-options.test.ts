import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createHandler, StoreComposer, type HandlerOptions } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { createUpload, memoryComposer, openPatch, patch, post, serve } from '../support/serve.js'
import { newGate, keptLog, offsetOf } from '../support/stages.js'

const make = (options: object) =>
  createHandler({ basePath: '/files', composer: memoryComposer(), ...options } as HandlerOptions)

/** The message with which an option is refused. */
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
    ['maxSize', [0, -1, 1.5, Number.NaN, '10', null, {}]],
    ['minSize', [-1, 1.5, Number.NaN, Infinity, 2 ** 53, '10', null, () => 10]],
    ['minAppendSize', [-1, 1.5, Number.NaN, Infinity, 2 ** 53, '10', null, () => 10]],
    ['maxAppendSize', [0, -1, 1.5, Number.NaN, Infinity, 2 ** 53, '10', null, () => 10]],
    ['checksumMetadata', ['', 7, null, {}]],
    ['maxPartials', [0, -1, 1.5, Number.NaN, Infinity, '10', null]],
    ['maxFinals', [0, -1, 1.5, Number.NaN, Infinity, '10', null]],
    ['interimResponses', ['yes', 1, 104, null, {}]],
    ['generateId', ['id', 7, null]],
    ['location', ['', 'host', 'ftp://a', 'https://a/?b', 'https://a/#b', '/files', 7, true]],
    ['trustProxy', ['yes', -1, 1.5, null]],
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
    ['preFinishTimeout', [0, '1s', Infinity]],
    ['finishTimeout', [0, '1s', Infinity]],
    ['verdictRetention', [0, '1s', Infinity]],
    ['progressInterval', [0, '1s', Infinity]],
    ['bodyBuffer', [65_536, null]],
    ['logger', [null, {}, { error() {} }, () => {}]],
    ['hooks', [null, () => {}]],
  ]
  const cases = wrong.flatMap(([option, values]) => values.map((value) => [option, value] as const))
  test.each(cases)('%s: %o', (option, value) => {
    const message = refusalOf({ [option]: value })
    expect(message).toContain(`'${option}'`)
    expect(message).toMatch(/must be .+, not .+/)
  })

  test.each([
    [{ expiration: {} }, 'expiration', 'after'],
    [{ expiration: { after: '1h' } }, 'expiration', 'after'],
    [{ expiration: { sweepEvery: 1 } }, 'expiration', 'finishedAfter'],
    [{ expiration: { finishedAfter: 0 } }, 'expiration', 'finishedAfter'],
    [{ expiration: { after: 1, sweepEvery: 0 } }, 'expiration', 'sweepEvery'],
    [{ bodyBuffer: { perUpload: 1024 } }, 'bodyBuffer', 'perUpload'],
    [{ bodyBuffer: { total: '1m' } }, 'bodyBuffer', 'total'],
    [{ hooks: { preCreate: true } }, 'hooks', 'preCreate'],
    [{ cors: { origins: 'example.org' } }, 'cors', 'origins'],
    [{ cors: { maxAge: -1 } }, 'cors', 'maxAge'],
  ])('%j', (options, owner, option) => {
    const message = refusalOf(options)
    expect(message).toContain(owner)
    expect(message).toContain(`'${option}'`)
    expect(message).toMatch(/must be .+, not .+/)
  })

  test.each([
    [{ maxSise: 1 }, 'maxSise', 'maxSize'],
    [{ minAppendsize: 1 }, 'minAppendsize', 'minAppendSize'],
    [{ interimResponse: true }, 'interimResponse', 'interimResponses'],
    [{ expiration: { after: 1, sweepsEvery: 1 } }, 'sweepsEvery', 'sweepEvery'],
    [{ bodyBuffer: { perupload: 65_536 } }, 'perupload', 'perUpload'],
    [{ hooks: { postfinish() {} } }, 'postfinish', 'postFinish'],
    [{ cors: { origin: '*' } }, 'origin', 'origins'],
  ])('%j is unknown, and the nearest name is offered', (options, name, nearest) => {
    const message = refusalOf(options)
    expect(message).toContain(`there is no option '${name}'; did you mean '${nearest}'?`)
  })

  test.each([
    [{ datastore: 1 }, 'datastore'],
    [{ stores: 1 }, 'stores'],
    [{ path: '/' }, 'path'],
    [{ hooks: { onUploadFinish() {} } }, 'onUploadFinish'],
    [{ expiration: { after: 1, ttl: 1 } }, 'ttl'],
  ])('%j resembles no known name, so none is offered', (options, name) => {
    const message = refusalOf(options)
    expect(message).toContain(`there is no option '${name}'`)
    expect(message).not.toContain('did you mean')
  })

  test('names are listed instead when they are few', () => {
    expect(refusalOf({ bodyBuffer: { size: 1 } })).toMatch(
      /there is no option 'size', only 'perUpload', 'total'$/,
    )
  })

  test.each([undefined, null, 7, 'options'])('options that are %o', (options) => {
    expect(() => createHandler(options as unknown as HandlerOptions)).toThrow(TypeError)
  })

  test('required ones that are missing', () => {
    expect(refusalOf({ basePath: undefined })).toContain("'basePath' must be")
    expect(refusalOf({ composer: undefined })).toContain("'composer' must be a StoreComposer")
  })
})

describe('options that contradict each other or the stores', () => {
  test('no stores', () => {
    expect(refusalOf({ composer: new StoreComposer() })).toContain('no DataStore')
    const data = new StoreComposer().useDataStore(new MemoryStore())
    expect(refusalOf({ composer: data })).toContain('no InfoStore')
  })

  test('expiration without an index, or disabled', () => {
    const composer = new StoreComposer().use(new MemoryStore())
    composer.useInfoStore(new MemoryInfoStore())
    expect(refusalOf({ composer, expiration: { after: 1 } })).toContain('ExpiryIndex')
    expect(refusalOf({ expiration: { after: 1 }, disable: ['expiration'] })).toContain('disable')
  })

  test('a maxSize that the store cannot hold', () => {
    const composer = memoryComposer()
    new MemoryStore({ maxSize: 10 }).useIn(composer)
    expect(refusalOf({ composer, maxSize: 11 })).toMatch(/maxSize.+11.+10/)
    expect(refusalOf({ composer, maxSize: 10 })).toBe('accepted')
  })

  test.each([
    [{ minSize: 11, maxSize: 10 }, /minSize.+11.+maxSize.+10/],
    [{ minAppendSize: 11, maxAppendSize: 10 }, /minAppendSize.+11.+maxAppendSize.+10/],
    // What is smaller has to come in one request, which may not bring as much.
    [{ minSize: 12, maxAppendSize: 10 }, /minSize.+12.+maxAppendSize.+10/],
  ])('a least that is more than the most: %j', (options, message) => {
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

  test('a minSize that the store cannot hold', () => {
    const composer = memoryComposer()
    new MemoryStore({ maxSize: 10 }).useIn(composer)
    expect(refusalOf({ composer, minSize: 11 })).toMatch(/minSize.+11.+10/)
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

test('a stalled client is ended after idleTimeout, with what it sent', async () => {
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
