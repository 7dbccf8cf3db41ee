import { describe, expect, test } from 'vitest'
import type { Hooks } from 'tuskit'
import { createUpload, head, patch, post, remove, serve, type Reply } from '../support/serve.js'
import { keptLog } from '../support/stages.js'

describe('an invalid result of a hook', () => {
  /** Sends what makes the hook run, and returns the reply to that. */
  const drive: Record<string, (hooks: Hooks) => Promise<[Reply, number]>> = {
    async access(hooks) {
      const log = keptLog()
      const site = await serve({ hooks, logger: log })
      return [await post(site, { 'upload-length': '5' }), log.lines.length]
    },
    async preCreate(hooks) {
      return drive.access!(hooks)
    },
    async preFinish(hooks) {
      const log = keptLog()
      const site = await serve({ hooks, logger: log })
      return [
        await patch(await createUpload(site, { 'upload-length': '1' }), 0, 'a'),
        log.lines.length,
      ]
    },
    async preTerminate(hooks) {
      const log = keptLog()
      const site = await serve({ hooks, logger: log })
      return [await remove(await createUpload(site)), log.lines.length]
    },
  }
  const results: [string, unknown][] = [
    ['a misspelt member', { rejected: true }],
    ['another misspelt member', { Reject: true }],
    ['false', false],
    ['a text', 'reject'],
    ['a number', 403],
    ['a reason that is a text', { reject: 'because' }],
    ['an error', new Error('no')],
    ['a web response', new Response('no', { status: 403 })],
    ['a map', new Map([['reject', true]])],
    ['a list', []],
    ['an invalid status', { reject: { status: 42 } }],
    ['a header that cannot be sent', { reject: { headers: { 'x-a': 'b\r\nc: d' } } }],
    ['a reason that is a web response', { reject: new Response('no', { status: 401 }) }],
    ['a reason that is an error', { reject: new Error('no') }],
    ['headers of the Fetch API', { reject: { headers: new Headers({ 'x-a': 'b' }) } }],
    ['a body that is not text', { reject: { body: { error: 1 } } }],
    ['a misspelt member of the response', { reject: { statusCode: 403 } }],
  ]
  const cases = Object.keys(drive).flatMap((hook) =>
    results.map(([what, result]) => [what, hook, result] as const),
  )
  test.each(cases)('%s, from %s, is an error, not consent', async (_, hook, result) => {
    const [reply, lines] = await drive[hook]!({ [hook]: () => result })
    expect(reply.status).toBe(500)
    expect(reply.text).toContain('ERR_HOOK_FAILED')
    expect(lines).toBe(1)
  })

  test.each([
    ['metadata', new Map([['a', 'b']])],
    ['metadata', []],
    ['place', ['path']],
  ])('%s that is %o, from preCreate, is an error', async (name, value) => {
    const hooks = { preCreate: () => ({ [name]: value }) as object }
    const site = await serve({ hooks, logger: keptLog() })
    const reply = await post(site, { 'upload-length': '5' })
    expect([reply.status, reply.text.split(':')[0]]).toEqual([500, 'ERR_HOOK_FAILED'])
  })

  test('makes preFinish run again, and records nothing', async () => {
    const results = [{ response: { status: 404 } }, { response: { status: 200, body: 'fine' } }]
    const site = await serve({
      logger: keptLog(),
      hooks: { preFinish: () => results.shift()! },
    })
    const url = await createUpload(site, { 'upload-length': '1' })
    expect((await patch(url, 0, 'a')).status).toBe(500)
    const again = await patch(url, 1, '')
    expect([again.status, again.text]).toEqual([200, 'fine'])
  })
})

describe('instances of classes', () => {
  class Refusal {
    get reject(): boolean {
      return true
    }
  }

  test('may reject with inherited members', async () => {
    for (const result of [new Refusal(), Object.create({ reject: true }) as Refusal]) {
      const site = await serve({ hooks: { access: () => result } })
      expect((await post(site, { 'upload-length': '5' })).status).toBe(403)
    }
  })

  test('may respond with inherited members', async () => {
    class Unauthorized {
      get status(): number {
        return 401
      }
    }
    const site = await serve({ hooks: { access: () => ({ reject: new Unauthorized() }) } })
    expect((await post(site, { 'upload-length': '5' })).status).toBe(401)
  })

  test('may be hooks, with methods that use their fields', async () => {
    class Service {
      readonly #result = { reject: true } as const
      access() {
        return this.#result
      }
    }
    const site = await serve({ hooks: new Service() })
    expect((await post(site, { 'upload-length': '5' })).status).toBe(403)
  })
})

test('a hook that throws fails the request, and nothing is recorded', async () => {
  const fail = () => {
    throw new Error('hook')
  }
  for (const name of ['access', 'preCreate', 'preFinish', 'preTerminate'] as const) {
    let failing = true
    const log = keptLog()
    const hooks = { [name]: () => (failing ? fail() : undefined) }
    const site = await serve({ hooks, logger: log })
    const make = () => post(site, { 'upload-length': '5' })
    if (name === 'access' || name === 'preCreate') {
      expect((await make()).status).toBe(500)
      failing = false
      expect((await make()).status).toBe(201)
    } else {
      const url = site.origin + (await make()).headers.location
      const act = name === 'preFinish' ? () => patch(url, 0, 'hello') : () => remove(url)
      expect((await act()).status).toBe(500)
      failing = false
      expect((await head(url)).status).toBe(200)
    }
    expect(log.lines.map(({ level }) => level)).toEqual(['error'])
  }
})

test.each([
  [{ rejected: true }, "there is no member 'rejected'; did you mean 'reject'?"],
  [
    { reject: 7 },
    "member 'reject' must be a boolean, or an object with status, headers and body, not 7",
  ],
])('the log says which hook returned what: %j', async (result, message) => {
  const log = keptLog()
  const site = await serve({ hooks: { access: () => result as never }, logger: log })
  await post(site, { 'upload-length': '5' })
  const { error } = log.lines[0]!.fields
  expect(String(error)).toBe(`TypeError: The result of the hook access: ${message}`)
})
