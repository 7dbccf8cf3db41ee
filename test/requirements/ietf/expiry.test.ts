import { afterEach, describe, expect, test, vi } from 'vitest'
import type { HandlerOptions, Hooks, StoreComposer } from 'tuskit'
import {
  createUpload,
  download,
  fileComposer,
  openRequest,
  patch,
  send,
  serve,
  type Site,
  stores,
  temporaryDirectory,
  until,
  idOf,
} from '../../support/serve.js'
import { startServer } from '../../support/server-process.js'
import {
  chunked,
  draft9,
  draftOf,
  type Fields,
  limitIn,
  urlIn,
  type Version,
  versions,
} from './draft.js'
import { silent } from '../../support/silent.js'
import { noAbort } from '../../support/stages.js'

const hour = 3_600_000
const hourly = { expiration: { after: hour } }

afterEach(() => void vi.useRealTimers())

/** Stops the clock that many milliseconds from now. */
function later(milliseconds: number): void {
  vi.setSystemTime(Date.now() + milliseconds)
}

const ageKey = (version: Version) => ((version ?? 9) <= 6 ? 'expires' : 'max-age')

async function idsIn(composer: StoreComposer): Promise<string[]> {
  const ids: string[] = []
  const { signal } = new AbortController()
  for await (const id of composer.slots().infoLister!.ids({ signal })) ids.push(id)
  return ids
}

async function leave(site: Site, url: string, sent: Parameters<typeof openRequest>[0], to: number) {
  const { request, reply } = openRequest(sent)
  await until(
    () => site.handler.uploads.inspect(idOf(url)),
    ({ offset }) => offset === to,
  )
  request.destroy()
  await expect(reply).rejects.toThrow()
  // HEAD takes the lock, so the request has ended on the server too.
  expect(Number((await draft9.stateOf(url))['upload-offset'])).toBe(to)
}

describe.each(stores)('$store store', ({ compose }) => {
  async function open(options: Partial<HandlerOptions> = {}) {
    const composer = await compose()
    const site = await serve({ composer, ...hourly, takeoverAfter: hour, ...options })
    return { composer, site }
  }

  async function expectExpired({ composer, site }: Awaited<ReturnType<typeof open>>, url: string) {
    for (const version of versions) {
      const draft = draftOf(version)
      const replies = [
        await draft.ask('HEAD', url),
        await draft.ask('GET', url),
        await draft.append(url, 5, '', draft.end),
        await draft.ask('DELETE', url),
      ]
      for (const { status, headers } of replies) {
        expect(status).toBe(draft.goneStatus)
        expect(headers).not.toHaveProperty('upload-offset')
        expect(headers).toMatchObject(draft.more)
      }
    }
    const upload = (await composer.slots().infoStore!.get(idOf(url), noAbort))!
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    const { signal } = new AbortController()
    await expect(composer.slots().dataStore!.stat(upload, { signal })).rejects.toMatchObject({
      code: 'ERR_DATA_MISSING',
    })
    expect(await idsIn(composer)).not.toContain(idOf(url))
    expect((await draft9.ask('HEAD', url)).status).toBe(404)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
  }

  test.each(versions)(
    'R-055 R-057 an upload with all bytes but no declared end expires, version %s',
    async (version) => {
      const at = await open()
      const url = await draftOf(version).started(at.site, 'hello', { 'upload-length': '5' })
      expect(await at.site.handler.uploads.removeExpired()).toBe(0)
      later(hour + 1_000)
      expect(await at.site.handler.uploads.finishPending()).toBe(0)
      await expectExpired(at, url)
    },
  )

  test('R-057 an upload whose end was declared and did not arrive expires too', async () => {
    const at = await open()
    const url = await draft9.started(at.site, '')
    const sent = draft9.appending(url, 0, 'hello', { ...draft9.end, 'content-length': '11' })
    await leave(at.site, url, sent, 5)
    later(2 * hour)
    expect(await at.site.handler.uploads.finishPending()).toBe(0)
    await expectExpired(at, url)
  })

  test.each(versions)('R-093 a complete upload does not expire, version %s', async (version) => {
    const draft = draftOf(version)
    const { site } = await open()
    const key = ageKey(version)
    const whole = await draft.create(site, 'hello world', draft.end)
    const url = await draft.started(site, 'hello')
    const last = await draft.append(url, 5, ' world', draft.end)
    later(10 * hour)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    for (const done of [urlIn(whole, site), url]) {
      const headers = await draft.stateOf(done)
      expect(headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      for (const reply of [{ headers }, whole, last]) expect(limitIn(reply, key)).toBeUndefined()
      expect(await download(done)).toBe('hello world')
    }
  })

  test('R-065 an upload whose finish failed does not expire, and the sweep finishes it', async () => {
    const asked: string[] = []
    const failures = ['first', 'second']
    const preFinish: Hooks['preFinish'] = ({ upload }) => {
      asked.push(upload.id)
      const failure = failures.shift()
      if (failure !== undefined) throw new Error(failure)
    }
    const { site } = await open({ hooks: { preFinish }, logger: silent })
    expect((await draft9.create(site, 'hello', draft9.end)).status).toBe(500)
    const url = `${site.origin}/files/${asked[0]}`
    later(2 * hour)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(asked).toEqual([asked[0], asked[0], asked[0]])
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '5', ...draft9.end })
    expect(asked.length).toBe(3)
  })

  test('R-057 an append in progress at the expiry may finish', async () => {
    const { site } = await open()
    const url = await draft9.started(site, 'hello')
    const sent = draft9.appending(url, 5, '', { ...draft9.end, 'content-length': '6' })
    const { request, reply } = openRequest({ ...sent, body: ' wor' })
    await until(
      () => site.handler.uploads.inspect(idOf(url)),
      ({ offset }) => offset === 9,
    )
    later(2 * hour)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    request.end('ld')
    expect((await reply).headers).toMatchObject({ 'upload-offset': '11', ...draft9.end })
    expect(await download(url)).toBe('hello world')
  })

  test('removeExpired removes the expired uploads of both protocols, and nothing else', async () => {
    const { composer, site } = await open({
      verdictRetention: 4 * hour,
      hooks: { preFinish: ({ upload }) => ({ reject: upload.metadata.values.filetype === 'a/b' }) },
    })
    const whole = urlIn(await draft9.create(site, 'hello', draft9.end), site)
    const rejected = await draft9.create(site, 'hello', { ...draft9.end, 'content-type': 'a/b' })
    expect(rejected.status).toBe(400)
    const overrun = await draft9.started(site, 'hello', { 'upload-length': '6' })
    expect((await draft9.append(overrun, 5, ' world', { ...draft9.end, ...chunked })).status).toBe(
      400,
    )
    await draft9.started(site, 'hello')
    await createUpload(site)
    later(2 * hour)
    const young = await draft9.started(site, 'hello')
    expect(await site.handler.uploads.removeExpired()).toBe(2)
    const ids = [whole, urlIn(rejected, site), overrun, young].map(idOf)
    expect((await idsIn(composer)).sort()).toEqual(ids.sort())
    // The rejection and the removal are reported as long as their records are kept.
    expect((await draft9.ask('HEAD', overrun)).status).toBe(410)
    expect((await draft9.ask('HEAD', urlIn(rejected, site))).status).toBe(400)
    later(3 * hour)
    expect(await site.handler.uploads.removeExpired()).toBe(3)
    expect(await idsIn(composer)).toEqual([idOf(whole)])
  })

  test('R-065 finishPending finishes complete uploads, and nothing else', async () => {
    const asked: string[] = []
    let down = true
    const preFinish: Hooks['preFinish'] = ({ upload }) => {
      asked.push(upload.id)
      if (down) throw new Error('The application is down')
      return { response: { status: 200, body: upload.protocol } }
    }
    const { site } = await open({ hooks: { preFinish }, logger: silent })
    const url = await draft9.started(site, 'hello', { 'upload-length': '11' })
    expect((await draft9.append(url, 5, ' world', draft9.end)).status).toBe(500)
    const other = await createUpload(site)
    expect((await patch(other, 0, 'hello world')).status).toBe(500)
    await draft9.started(site, 'hello', { 'upload-length': '5' })
    await draft9.started(site, '')
    const lost = await draft9.started(site, 'hello')
    const sent = draft9.appending(lost, 5, ' wor', { ...draft9.end, 'content-length': '6' })
    await leave(site, lost, sent, 9)
    const gone = await draft9.started(site, 'hello')
    expect((await draft9.ask('DELETE', gone)).status).toBe(204)
    // The application is still down, so nothing is finished, and nothing is lost.
    expect(await site.handler.uploads.finishPending()).toBe(0)
    down = false
    asked.length = 0
    expect(await site.handler.uploads.finishPending()).toBe(2)
    expect(asked.sort()).toEqual([url, other].map(idOf).sort())
    expect(await site.handler.uploads.finishPending()).toBe(0)
    const replay = await draft9.append(url, 11, '', draft9.end)
    expect([replay.status, replay.text]).toEqual([200, 'ietf'])
    expect(await download(other)).toBe('hello world')
  })
})

describe.each(versions)('the remaining time, version %s', (version) => {
  const draft = draftOf(version)
  const key = ageKey(version)

  test('R-093 counts down to 0, in every response that reports it', async () => {
    const start = Date.now()
    vi.setSystemTime(start)
    const site = await serve({ expiration: { after: 100_000 } })
    const reply = await draft.create(site, 'hello', draft.more)
    const url = urlIn(reply, site)
    expect(limitIn(reply, key)).toBe(100)
    for (const [milliseconds, left] of [
      [1_000, 99],
      [1_001, 98],
      [99_999, 0],
    ] as const) {
      vi.setSystemTime(start + milliseconds)
      for (const method of ['HEAD', 'GET'] as const) {
        expect(limitIn(await draft.ask(method, url), key)).toBe(left)
      }
      const empty = await draft.append(url, 5, '', draft.more)
      expect(limitIn(empty, key)).toBe(left)
    }
  })

  test('R-093 is the whole time again when bytes arrive and less than half is left', async () => {
    const start = Date.now()
    vi.setSystemTime(start)
    const site = await serve(hourly)
    const url = await draft.started(site, 'h')
    const steps: [minutes: number, body: string, framing: Fields, left: number][] = [
      [20, 'e', {}, 40],
      [35, '', {}, 25],
      [35, '', chunked, 25],
      [35, 'l', {}, 60],
      [80, 'l', chunked, 60],
      [100, 'o', {}, 40],
    ]
    let offset = 1
    for (const [minutes, body, framing, left] of steps) {
      vi.setSystemTime(start + minutes * 60_000)
      const reply = await draft.append(url, offset, body, { ...draft.more, ...framing })
      offset += body.length
      expect([minutes, limitIn(reply, key)]).toEqual([minutes, left * 60])
      expect(limitIn({ headers: await draft.stateOf(url) }, key)).toBe(left * 60)
    }
  })

  test('R-144 HEAD and empty appends do not extend it', async () => {
    const start = Date.now()
    vi.setSystemTime(start)
    const site = await serve(hourly)
    const url = await draft.started(site, 'hello', { 'upload-length': '11' })
    for (const minutes of [31, 45, 59]) {
      vi.setSystemTime(start + minutes * 60_000)
      const fields = { ...draft.more, 'upload-length': '11' }
      expect((await draft.append(url, 5, '', fields)).status).toBeLessThan(300)
      expect((await draft.append(url, 4, 'x', draft.more)).status).toBe(409)
      await draft.stateOf(url)
    }
    vi.setSystemTime(start + hour + 1)
    expect((await draft.append(url, 5, ' world', draft.end)).status).toBe(draft.goneStatus)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
  })
})

describe('an upload whose server died when all bytes were stored', () => {
  /** Kills a server, and starts the next one two hours later. */
  async function crash(framing: Fields) {
    const directory = await temporaryDirectory()
    const after = 'after dataStore.append'
    const first = await startServer({ directory, stop: after, ...hourly })
    const lost = openRequest(draft9.creation(first, 'hello world', { ...draft9.end, ...framing }))
    lost.request.end()
    await first.stopped
    await first.kill()
    await expect(lost.reply).rejects.toThrow()
    const composer = fileComposer(directory)
    const site = await serve({ composer, ...hourly })
    later(2 * hour)
    const [id] = await idsIn(composer)
    return { site, url: `${site.origin}/files/${id}` }
  }

  test('R-065 is finished instead of expiring when its end was recorded', async () => {
    const { site, url } = await crash({})
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect((await send({ method: 'GET', url })).text).toBe('hello world')
    expect(await draft9.stateOf(url)).toMatchObject(draft9.end)
  })

  test('R-057 expires when its end was not recorded', async () => {
    const { site, url } = await crash(chunked)
    expect(await site.handler.uploads.finishPending()).toBe(0)
    expect((await draft9.ask('HEAD', url)).status).toBe(410)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    expect((await draft9.ask('HEAD', url)).status).toBe(404)
  })
})
