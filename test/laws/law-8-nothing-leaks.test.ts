import { describe, expect, test } from 'vitest'
import { TusError, type StoreComposer, type StoreSlots } from 'tuskit'
import {
  createUpload,
  head,
  memoryComposer,
  patch,
  post,
  remove,
  send,
  serve,
  type Reply,
} from '../support/serve.js'
import { noAbort, keptLog, storeWith } from '../support/stages.js'

const secret = Error('secret path /x')
const refuseAtOnce = () => {
  throw secret
}
const refuse = async () => refuseAtOnce()

/** A composer of which one part fails in the given operation, on request. */
function failing(slot: keyof StoreSlots, operation: string) {
  const composer = memoryComposer()
  composer.useFinisher({ finish: async () => {} })
  const part = composer.slots()[slot] as object
  let broken = false
  const proxy = new Proxy(part, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (broken && name === operation) return operation === 'locate' ? refuseAtOnce : refuse
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const slots = { ...composer.slots(), [slot]: proxy }
  return {
    composer: { slots: () => slots } as unknown as StoreComposer,
    break: () => void (broken = true),
  }
}

function expectFixedText(reply: Reply, requestId: string, status = 500): void {
  expect(reply.status).toBe(status)
  expect(JSON.stringify([reply.headers, reply.text, reply.statusMessage])).not.toContain('secret')
  if (reply.text !== '') {
    expect(reply.text).toMatch(/^ERR_[A-Z_]+: .+\n$/)
    expect(reply.text).toContain(requestId)
  }
}

describe('an unknown error', () => {
  test.each<[keyof StoreSlots, string, 'POST' | 'PATCH' | 'HEAD' | 'DELETE' | 'GET']>([
    ['infoStore', 'create', 'POST'],
    ['dataStore', 'create', 'POST'],
    ['dataStore', 'locate', 'POST'],
    ['infoStore', 'get', 'PATCH'],
    ['dataStore', 'stat', 'PATCH'],
    ['dataStore', 'append', 'PATCH'],
    ['finisher', 'finish', 'PATCH'],
    ['infoStore', 'update', 'PATCH'],
    ['infoStore', 'get', 'HEAD'],
    ['dataStore', 'stat', 'HEAD'],
    ['infoStore', 'get', 'GET'],
    ['dataStore', 'stat', 'GET'],
    ['infoStore', 'get', 'DELETE'],
    ['infoStore', 'update', 'DELETE'],
    ['terminator', 'terminate', 'DELETE'],
  ])('of %s.%s in a %s is logged once, with its cause, and never sent', async (...row) => {
    const [slot, operation, method] = row
    const { composer, ...stage } = failing(slot, operation)
    const log = keptLog()
    const site = await serve({ composer, logger: log })
    const url = await createUpload(site, { 'upload-length': '5' })
    stage.break()
    const id = { 'x-request-id': 'request-7' }
    const reply =
      method === 'POST'
        ? await post(site, { 'upload-length': '5', ...id })
        : method === 'PATCH'
          ? await patch(url, 0, 'hello', id)
          : await send({ method, url, headers: { 'tus-resumable': '1.0.0', ...id } })
    const asksForState = method === 'HEAD' || method === 'GET'
    expectFixedText(reply, 'request-7', asksForState ? 423 : 500)
    const errors = log.lines.filter(({ level }) => level === 'error')
    expect(errors.length).toBe(1)
    expect(errors[0]!.fields).toMatchObject({ requestId: 'request-7', error: secret, method })
  })

  test('of a content reader is never sent', async () => {
    const { composer, ...stage } = failing('contentReader', 'read')
    const log = keptLog()
    const site = await serve({ composer, logger: log })
    const url = await createUpload(site, { 'upload-length': '5' })
    await patch(url, 0, 'hello')
    stage.break()
    expectFixedText(await send({ method: 'GET', url, headers: { 'x-request-id': 'r' } }), 'r')
    expect(log.lines.map(({ fields }) => fields.error)).toEqual([secret])
  })

  test('of a function among the options is never sent', async () => {
    for (const options of [
      { generateId: refuse },
      { maxSize: refuse },
      { hooks: { access: refuse } },
      { hooks: { preCreate: refuse } },
    ]) {
      const log = keptLog()
      const site = await serve({ ...options, logger: log })
      const reply = await post(site, { 'upload-length': '5', 'x-request-id': 'r' })
      expectFixedText(reply, 'r')
      expect(log.lines.map(({ fields }) => fields.error)).toEqual([secret])
    }
  })

  test.each(['ERR_INVALID_PLACE', 'ERR_DATA_EXISTS', 'ERR_DATA_MISSING', 'ERR_INTERNAL'] as const)(
    'of a store that has the code %s keeps its message secret',
    async (code) => {
      const log = keptLog()
      const message = 'secret path /x'
      const locate = () => {
        throw new TusError(code, { message })
      }
      const composer = memoryComposer()
      composer.useDataStore(storeWith(composer.slots().dataStore!, { locate }))
      const reply = await post(await serve({ composer, logger: log }), { 'upload-length': '5' })
      expect(reply.text).toMatch(new RegExp(`^${code}: `))
      expect(reply.text).not.toContain('secret')
      expect(log.lines.map((line) => line.message)).toEqual([message])
    },
  )

  test('that is not an Error is never sent', async () => {
    for (const thrown of [undefined, null, 'secret', { secret: 1 }]) {
      const log = keptLog()
      const site = await serve({
        logger: log,
        generateId() {
          throw thrown
        },
      })
      expectFixedText(await post(site, { 'upload-length': '5', 'x-request-id': 'r' }), 'r')
      expect(log.lines.length).toBe(1)
    }
  })
})

test('an info store that fails causes 500 (HEAD: 423), and one without the record 404', async () => {
  const { composer, ...stage } = failing('infoStore', 'get')
  const site = await serve({ composer, logger: keptLog() })
  const url = await createUpload(site, { 'upload-length': '5' })
  const requests = (target: string) => [
    head(target),
    patch(target, 0, 'hello'),
    remove(target),
    send({ method: 'GET', url: target }),
  ]
  for (const { status } of await Promise.all(requests(`${site.origin}/files/nothing`))) {
    expect(status).toBe(404)
  }
  stage.break()
  const statuses = (await Promise.all(requests(url))).map(({ status }) => status)
  expect(statuses).toEqual([423, 500, 500, 500])
})

test('a request without an id gets one, which links the response to the log', async () => {
  const { composer, ...stage } = failing('infoStore', 'get')
  const log = keptLog()
  const site = await serve({ composer, logger: log })
  stage.break()
  for (const given of [undefined, 'a b', 'x'.repeat(65)]) {
    const headers = given === undefined ? {} : { 'x-request-id': given }
    const reply = await send({ method: 'GET', url: `${site.origin}/files/a`, headers })
    const id = /\(request ([0-9a-f-]{36})\)/.exec(reply.text)?.[1]
    expect(id).toBeDefined()
    expect(log.lines.at(-1)!.fields.requestId).toBe(id)
  }
})

test('the secret of a store never leaves record and store', async () => {
  const composer = memoryComposer()
  const store = composer.slots().dataStore!
  const seen: unknown[] = []
  composer.useDataStore(
    storeWith(store, {
      async append(upload, from, body, options) {
        await options.saveSecret({ session: 'hush' })
        return store.append(upload, from, body, options)
      },
    }),
  )
  const site = await serve({
    composer,
    hooks: {
      access: ({ upload }) => void seen.push(upload),
      preFinish: ({ upload }) => void seen.push(upload),
      postFinish: ({ upload }) => void seen.push(upload),
      preTerminate: ({ upload }) => void seen.push(upload),
      postTerminate: ({ upload }) => void seen.push(upload),
    },
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  await patch(url, 0, 'hello')
  const id = url.split('/').at(-1)!
  const { upload } = await site.handler.uploads.inspect(id)
  seen.push(upload)
  await remove(url)
  await site.server.stop()
  expect((await composer.slots().infoStore!.get(id, noAbort)) ?? 'removed').toBe('removed')
  expect(seen.length).toBeGreaterThan(5)
  expect(JSON.stringify(seen)).not.toContain('hush')
})
