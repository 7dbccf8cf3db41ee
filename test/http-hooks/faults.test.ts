import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { HookCall } from 'tuskit'
import { HttpHooks, type HttpHooksOptions } from 'tuskit/http-hooks'
import { freePort } from '../support/free-port.js'
import { HookServer, json, type Respond } from '../support/hook-server.js'
import { head, patch, post, serve, until } from '../support/serve.js'
import { keptLog } from '../support/stages.js'
import { recorded } from '../hook-formats/recorded.js'

const call: HookCall = {
  event: { type: 'pre-create', id: 'a/pre-create' },
  upload: undefined,
  offset: 0,
  request: undefined,
}

/** Options of hooks that are asked once. */
const once = { events: ['pre-create'], attempts: 1 } as const

/** Sends a creation, and returns what the client gets and what the log says. */
async function created(options: HttpHooksOptions, hookTimeout = 30_000) {
  const logger = keptLog()
  const site = await serve({ hooks: new HttpHooks(options), logger, hookTimeout })
  const { status, text } = await post(site, { 'upload-length': '5' })
  const logged = logger.lines.map(({ level, fields }) => {
    const error = fields.error as Error & { readonly cause?: { readonly code?: string } }
    return `${level}: ${error.cause?.code ?? error.message}`
  })
  return { status, text, logged }
}

const unavailable = {
  status: 503,
  text: 'ERR_HOOK_UNAVAILABLE: A program that decides about uploads cannot be reached; try again\n',
}
const wrong = {
  status: 502,
  text: 'ERR_HOOK_REPLY: A program that decides about uploads gave a wrong reply\n',
}
const late = {
  status: 504,
  text: 'ERR_HOOK_TIMEOUT: A program that decides about uploads took too long; try again\n',
}

/** Begins a reply that never ends. */
const beginning: Respond = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.write('{')
}

const endless: Respond = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const more = () => {
    while (!response.destroyed && response.write(' '.repeat(65_536)));
    if (!response.destroyed) response.once('drain', more)
  }
  more()
}

describe('a client gets a stable code, and the log the reason', () => {
  test('when no server listens', async () => {
    const url = `http://127.0.0.1:${await freePort()}/hooks`
    const result = await created({ ...once, url })
    expect(result).toEqual({ ...unavailable, logged: ['error: ECONNREFUSED'] })
  })

  test.each([
    ['no response', () => {}],
    ['no end of the response', beginning],
  ] as const)('when there is %s in time', async (_, respond) => {
    const hooks = await HookServer.start(respond)
    const result = await created({ ...once, url: hooks.url, timeout: 200 })
    expect(result).toEqual({ ...late, logged: ['error: No reply within 200 ms'] })
    await until(
      () => hooks.connections(),
      (count) => count === 0,
    )
  })

  test('when the response is cut', async () => {
    const hooks = await HookServer.start((response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{', () => response.destroy())
    })
    expect(await created({ ...once, url: hooks.url })).toMatchObject(unavailable)
  })

  test('when the response has no end', async () => {
    const hooks = await HookServer.start(endless)
    const result = await created({ ...once, url: hooks.url })
    expect(result).toEqual({ ...wrong, logged: ['error: A reply of more than 1048576 bytes'] })
    await until(
      () => hooks.connections(),
      (count) => count === 0,
    )
  })

  test.each([301, 302, 303, 307, 308])('when it is a redirect with %s', async (status) => {
    const hooks = await HookServer.start((response) => {
      response.writeHead(status, { location: '/elsewhere' }).end()
    })
    const result = await created({ ...once, url: hooks.url, attempts: 3 })
    expect(result).toEqual({ ...wrong, logged: [`error: The hook responded with ${status}: `] })
    expect(hooks.messages.map(({ target }) => target)).toEqual(['/hooks?source=test'])
  })

  test.each([404, 429])('when it responds with %s', async (status) => {
    const hooks = await HookServer.start(json('secret', status))
    const result = await created({ ...once, url: hooks.url })
    expect(result).toEqual({
      ...wrong,
      logged: [`error: The hook responded with ${status}: "secret"`],
    })
  })
})

test('a hook that may not take longer is no longer waited for', async () => {
  const hooks = await HookServer.start(() => {})
  const url = hooks.url
  expect(await created({ ...once, url, timeout: 60_000 }, 200)).toMatchObject({ status: 500 })
  await until(
    () => hooks.connections(),
    (count) => count === 0,
  )
})

test('nothing is sent when it is too late, and no listener is left', async () => {
  const server = await HookServer.start()
  const hooks = new HttpHooks({ ...once, url: server.url })
  const reason = new Error('too late')
  await expect(hooks.call(call, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  expect(server.messages).toEqual([])
  const { signal } = new AbortController()
  expect(await hooks.call(call, { signal })).toEqual({})
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('no more attempts follow when it is too late', async () => {
  const stop = new AbortController()
  const server = await HookServer.start((response) => {
    response.writeHead(500).end()
    stop.abort(new Error('too late'))
  })
  const hooks = new HttpHooks({ ...once, url: server.url, attempts: 5, delay: 60_000 })
  await expect(hooks.call(call, stop)).rejects.toThrow('too late')
  expect(server.messages).toHaveLength(1)
})

describe('a URL is asked again', () => {
  interface Retried {
    readonly endpoint: string
    readonly requests: number
  }
  const { retries } = recorded<{ readonly retries: readonly Retried[] }>('tusd-http-replies')

  test.each(retries)('as often as by tusd: $endpoint', async ({ endpoint, requests }) => {
    const failing = /once/.test(endpoint) ? 1 : /twice/.test(endpoint) ? 2 : Infinity
    const hooks = await HookServer.start((response, message) => {
      if (hooks.messages.length > failing) return json({})(response, message)
      if (endpoint.includes('closed')) return response.destroy()
      if (endpoint === 'no JSON') return response.end('nonsense')
      response.writeHead(Number(/\d+/.exec(endpoint)![0]), { location: '/elsewhere' }).end()
    })
    await created({ url: hooks.url, events: ['pre-create'], delay: 1 })
    // No redirect is followed.
    expect(hooks.messages).toHaveLength(endpoint.startsWith('redirect') ? 1 : requests)
  })

  test('with the same message and key', async () => {
    const hooks = await HookServer.start((response, message) => {
      json({}, hooks.messages.length < 3 ? 503 : 200)(response, message)
    })
    const options = { url: hooks.url, events: ['pre-create'], delay: 1 } as const
    expect(await created(options)).toMatchObject({ status: 201, logged: [] })
    expect(hooks.messages).toHaveLength(3)
    expect(new Set(hooks.messages.map(({ text }) => text)).size).toBe(1)
    const keys = new Set(hooks.messages.map(({ headers }) => headers['idempotency-key']))
    expect([...keys]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)])
  })

  test('after a timeout', async () => {
    const hooks = await HookServer.start((response, message) => {
      if (hooks.messages.length > 1) json({})(response, message)
    })
    const options = { url: hooks.url, events: ['pre-create'], timeout: 500, delay: 1 } as const
    expect(await created(options)).toMatchObject({ status: 201 })
  })
})

test.each([
  ['ERR_HOOK_REPLY', json('nonsense')],
  ['ERR_HOOK_TIMEOUT', () => {}],
  ['ERR_HOOK_UNAVAILABLE', json({}, 500)],
] as const)(
  '%s is 423 for a tus HEAD, so that no client gives its upload up',
  async (code, bad) => {
    let respond: Respond = json({})
    const { url } = await HookServer.start((response, message) => respond(response, message))
    const hooks = new HttpHooks({ url, events: ['access'], attempts: 1, timeout: 500 })
    const site = await serve({ hooks, logger: keptLog() })
    const { headers } = await post(site, { 'upload-length': '5' })
    respond = bad
    const upload = site.origin + headers.location
    const refused = await head(upload)
    expect([refused.status, refused.headers['retry-after']]).toEqual([423, '1'])
    expect((await patch(upload, 0, 'hello')).text).toContain(code)
  },
)
