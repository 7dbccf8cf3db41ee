import { describe, expect, test, vi } from 'vitest'
import type { Hooks } from 'tuskit'
import {
  createUpload,
  download,
  head,
  openPatch,
  patch,
  post,
  remove,
  send,
  serve,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

/** Records the calls of a hook that settles only when the test allows it. */
interface Hung {
  readonly signals: AbortSignal[]
  /** Settles all calls. */
  settle(verdict?: unknown): void
}

/** A hook that hangs. Real hooks wait for services that no longer respond. */
function hangingHook(heeds = false): Hung & { readonly hook: (context: object) => Promise<never> } {
  const signals: AbortSignal[] = []
  const settles: ((verdict: unknown) => void)[] = []
  return {
    signals,
    settle: (verdict) => settles.forEach((settle) => settle(verdict)),
    hook(context) {
      const { signal } = context as { signal: AbortSignal }
      signals.push(signal)
      return new Promise((resolve, reject) => {
        settles.push(resolve as (verdict: unknown) => void)
        if (heeds) signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    },
  }
}

async function siteWith(hooks: Hooks, options: object = {}) {
  const log = keptLog()
  const site = await serve({ hooks, hookTimeout: 100, logger: log, ...options })
  const errors = () => log.lines.filter(({ level }) => level === 'error')
  return { site, errors }
}

const failed = [500, 'ERR_HOOK_FAILED']
const told = ({ status, text }: { status: number; text: string }) => [status, text.split(':')[0]]

describe.each([
  ['heeds its signal', true],
  ['ignores its signal', false],
])('a hanging hook that %s', (_, heeds) => {
  test('in access fails at the limit, and its late result is ignored', async () => {
    const { hook, signals, settle } = hangingHook(heeds)
    const { site, errors } = await siteWith({ access: hook })
    expect(told(await post(site, { 'upload-length': '5' }))).toEqual(failed)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(String(errors()[0]!.fields.error)).toMatch(/access has not settled within 100 ms|Abort/)
    settle({ reject: { status: 418 } })
    expect(errors()).toHaveLength(1)
  })

  test('in preCreate fails at the limit, and its late consent creates nothing', async () => {
    const { hook, settle } = hangingHook(heeds)
    const { site } = await siteWith({ preCreate: hook })
    expect(told(await post(site, { 'upload-length': '5' }))).toEqual(failed)
    settle({ id: 'late' })
    expect((await head(`${site.origin}/files/late`)).status).toBe(404)
  })

  test('in preTerminate fails at the limit, and the lock is free', async () => {
    const { hook, settle } = hangingHook(heeds)
    const { site } = await siteWith({ preTerminate: hook })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect(told(await remove(url))).toEqual(failed)
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    settle({})
    expect(await download(url)).toBe('hello')
  })

  test('in download fails at the limit, and its late result is ignored', async () => {
    const { hook, signals, settle } = hangingHook(heeds)
    const { site, errors } = await siteWith({}, { download: hook })
    const { headers } = await post(site, { 'upload-length': '5' }, 'hello')
    const reply = await send({ method: 'GET', url: site.origin + headers.location })
    expect(told(reply)).toEqual(failed)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(String(errors()[0]!.fields.error)).toMatch(
      /download has not settled within 100 ms|Abort/,
    )
    settle({ headers: { 'x-late': '1' } })
    expect(errors()).toHaveLength(1)
  })

  test('in preFinish fails at its own limit, and is called again', async () => {
    const { hook, signals } = hangingHook(heeds)
    let hangs = true
    const preFinish = (context: object) => (hangs ? hook(context) : {})
    const { site } = await siteWith({ preFinish }, { preFinishTimeout: 100 })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect(told(await patch(url, 0, 'hello'))).toEqual(failed)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    hangs = false
    expect((await head(url)).headers['upload-offset']).toBe('5')
    expect(await download(url)).toBe('hello')
  })

  test('in postCreate is logged, and the next event runs', async () => {
    const { hook } = hangingHook(heeds)
    const finished = vi.fn()
    const { site, errors } = await siteWith({ postCreate: hook, postFinish: finished })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    await vi.waitFor(() => expect(finished).toHaveBeenCalledOnce())
    expect(errors().map(({ message }) => message)).toEqual(['The hook post-create failed'])
  })

  test('in postReceive delays neither the end of the request nor the lock', async () => {
    const { hook, signals, settle } = hangingHook(heeds)
    const { site, errors } = await siteWith({ postReceive: hook }, { progressInterval: 1 })
    const url = await createUpload(site, { 'upload-length': '10' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '5' })
    request.write('hell')
    await vi.waitFor(() => expect(signals).not.toHaveLength(0))
    request.end('o')
    expect((await reply).status).toBe(204)
    settle({ stop: true })
    const messages = errors().map(({ message }) => message)
    expect(new Set(messages)).toEqual(new Set(['The hook post-receive failed']))
    expect((await head(url)).headers['upload-offset']).toBe('5')
  })

  test('in postTerminate is logged, and the record is removed', async () => {
    const { hook } = hangingHook(heeds)
    const { site, errors } = await siteWith({ postTerminate: hook })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect((await remove(url)).status).toBe(204)
    await vi.waitFor(async () => expect((await head(url)).status).toBe(404))
    expect(errors().map(({ message }) => message)).toEqual(['The hook post-terminate failed'])
  })
})

test('preFinish has no limit unless one is set', async () => {
  const { hook, signals, settle } = hangingHook()
  const { site } = await siteWith({ preFinish: hook }, { finishTimeout: 300 })
  const url = await createUpload(site, { 'upload-length': '5' })
  // This is longer than hookTimeout.
  expect((await patch(url, 0, 'hello')).status).toBe(503)
  expect(signals.map(({ aborted }) => aborted)).toEqual([false])
  settle({})
  await vi.waitFor(async () => expect(await download(url)).toBe('hello'))
})

test.each(['maxSize', 'generateId'])('a function %s that hangs fails', async (name) => {
  const { site, errors } = await siteWith({}, { [name]: () => new Promise(() => {}) })
  expect(told(await post(site, { 'upload-length': '5' }))).toEqual(failed)
  expect(String(errors()[0]!.fields.error)).toContain(`The function ${name} has not settled`)
})
