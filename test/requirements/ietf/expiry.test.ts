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
  append,
  appending,
  ask,
  chunked,
  create,
  creation,
  end,
  goneStatus,
  type Fields,
  limitIn,
  more,
  started,
  stateOf,
  urlIn,
  type Version,
  versions,
} from './draft.js'
import { silent } from '../../support/silent.js'
import { calm } from '../../support/stages.js'

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
  expect(Number((await stateOf(url, 9))['upload-offset'])).toBe(to)
}

describe.each(stores)('$store store', ({ compose }) => {
  async function open(options: Partial<HandlerOptions> = {}) {
    const composer = await compose()
    const site = await serve({ composer, ...hourly, takeoverAfter: hour, ...options })
    return { composer, site }
  }

  async function expectExpired({ composer, site }: Awaited<ReturnType<typeof open>>, url: string) {
    for (const version of versions) {
      const replies = [
        await ask('HEAD', url, version),
        await ask('GET', url, version),
        await append(url, version, 5, '', end(version)),
        await ask('DELETE', url, version),
      ]
      for (const { status, headers } of replies) {
        expect(status).toBe(goneStatus(version))
        expect(headers).not.toHaveProperty('upload-offset')
        expect(headers).toMatchObject(more(version))
      }
    }
    const upload = (await composer.slots().infoStore!.get(idOf(url), calm))!
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    const { signal } = new AbortController()
    await expect(composer.slots().dataStore!.stat(upload, { signal })).rejects.toMatchObject({
      code: 'ERR_DATA_MISSING',
    })
    expect(await idsIn(composer)).not.toContain(idOf(url))
    expect((await ask('HEAD', url, 9)).status).toBe(404)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
  }

  test.each(versions)(
    'R-055 R-057 an upload with all bytes but no declared end expires, version %s',
    async (version) => {
      const at = await open()
      const url = await started(at.site, version, 'hello', { 'upload-length': '5' })
      expect(await at.site.handler.uploads.removeExpired()).toBe(0)
      later(hour + 1_000)
      expect(await at.site.handler.uploads.finishPending()).toBe(0)
      await expectExpired(at, url)
    },
  )

  test('R-057 an upload whose end was declared and did not arrive expires too', async () => {
    const at = await open()
    const url = await started(at.site, 9, '')
    const sent = appending(url, 9, 0, 'hello', { ...end(9), 'content-length': '11' })
    await leave(at.site, url, sent, 5)
    later(2 * hour)
    expect(await at.site.handler.uploads.finishPending()).toBe(0)
    await expectExpired(at, url)
  })

  test.each(versions)('R-093 a complete upload does not expire, version %s', async (version) => {
    const { site } = await open()
    const key = ageKey(version)
    const whole = await create(site, version, 'hello world', end(version))
    const url = await started(site, version, 'hello')
    const last = await append(url, version, 5, ' world', end(version))
    later(10 * hour)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    for (const done of [urlIn(whole, site), url]) {
      const headers = await stateOf(done, version)
      expect(headers).toMatchObject({ 'upload-offset': '11', ...end(version) })
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
    expect((await create(site, 9, 'hello', end(9))).status).toBe(500)
    const url = `${site.origin}/files/${asked[0]}`
    later(2 * hour)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect(asked).toEqual([asked[0], asked[0], asked[0]])
    expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5', ...end(9) })
    expect(asked.length).toBe(3)
  })

  test('R-057 an append in progress at the expiry may finish', async () => {
    const { site } = await open()
    const url = await started(site, 9, 'hello')
    const sent = appending(url, 9, 5, '', { ...end(9), 'content-length': '6' })
    const { request, reply } = openRequest({ ...sent, body: ' wor' })
    await until(
      () => site.handler.uploads.inspect(idOf(url)),
      ({ offset }) => offset === 9,
    )
    later(2 * hour)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    request.end('ld')
    expect((await reply).headers).toMatchObject({ 'upload-offset': '11', ...end(9) })
    expect(await download(url)).toBe('hello world')
  })

  test('removeExpired removes the expired uploads of both protocols, and nothing else', async () => {
    const { composer, site } = await open({
      verdictRetention: 4 * hour,
      hooks: { preFinish: ({ upload }) => ({ reject: upload.metadata.values.filetype === 'a/b' }) },
    })
    const whole = urlIn(await create(site, 9, 'hello', end(9)), site)
    const rejected = await create(site, 9, 'hello', { ...end(9), 'content-type': 'a/b' })
    expect(rejected.status).toBe(400)
    const overrun = await started(site, 9, 'hello', { 'upload-length': '6' })
    expect((await append(overrun, 9, 5, ' world', { ...end(9), ...chunked })).status).toBe(400)
    await started(site, 9, 'hello')
    await createUpload(site)
    later(2 * hour)
    const young = await started(site, 9, 'hello')
    expect(await site.handler.uploads.removeExpired()).toBe(2)
    const ids = [whole, urlIn(rejected, site), overrun, young].map(idOf)
    expect((await idsIn(composer)).sort()).toEqual(ids.sort())
    // The rejection and the removal are reported as long as their records are kept.
    expect((await ask('HEAD', overrun, 9)).status).toBe(410)
    expect((await ask('HEAD', urlIn(rejected, site), 9)).status).toBe(400)
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
    const url = await started(site, 9, 'hello', { 'upload-length': '11' })
    expect((await append(url, 9, 5, ' world', end(9))).status).toBe(500)
    const other = await createUpload(site)
    expect((await patch(other, 0, 'hello world')).status).toBe(500)
    await started(site, 9, 'hello', { 'upload-length': '5' })
    await started(site, 9, '')
    const lost = await started(site, 9, 'hello')
    const sent = appending(lost, 9, 5, ' wor', { ...end(9), 'content-length': '6' })
    await leave(site, lost, sent, 9)
    const gone = await started(site, 9, 'hello')
    expect((await ask('DELETE', gone, 9)).status).toBe(204)
    // The application is still down, so nothing is finished, and nothing is lost.
    expect(await site.handler.uploads.finishPending()).toBe(0)
    down = false
    asked.length = 0
    expect(await site.handler.uploads.finishPending()).toBe(2)
    expect(asked.sort()).toEqual([url, other].map(idOf).sort())
    expect(await site.handler.uploads.finishPending()).toBe(0)
    const replay = await append(url, 9, 11, '', end(9))
    expect([replay.status, replay.text]).toEqual([200, 'ietf'])
    expect(await download(other)).toBe('hello world')
  })
})

describe.each(versions)('the remaining time, version %s', (version) => {
  const key = ageKey(version)

  test('R-093 counts down to 0, in every response that reports it', async () => {
    const start = Date.now()
    vi.setSystemTime(start)
    const site = await serve({ expiration: { after: 100_000 } })
    const reply = await create(site, version, 'hello', more(version))
    const url = urlIn(reply, site)
    expect(limitIn(reply, key)).toBe(100)
    for (const [milliseconds, left] of [
      [1_000, 99],
      [1_001, 98],
      [99_999, 0],
    ] as const) {
      vi.setSystemTime(start + milliseconds)
      for (const method of ['HEAD', 'GET'] as const) {
        expect(limitIn(await ask(method, url, version), key)).toBe(left)
      }
      const empty = await append(url, version, 5, '', more(version))
      expect(limitIn(empty, key)).toBe(left)
    }
  })

  test('R-093 is the whole time again when bytes arrive and less than half is left', async () => {
    const start = Date.now()
    vi.setSystemTime(start)
    const site = await serve(hourly)
    const url = await started(site, version, 'h')
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
      const reply = await append(url, version, offset, body, { ...more(version), ...framing })
      offset += body.length
      expect([minutes, limitIn(reply, key)]).toEqual([minutes, left * 60])
      expect(limitIn({ headers: await stateOf(url, version) }, key)).toBe(left * 60)
    }
  })

  test('R-144 HEAD and empty appends do not extend it', async () => {
    const start = Date.now()
    vi.setSystemTime(start)
    const site = await serve(hourly)
    const url = await started(site, version, 'hello', { 'upload-length': '11' })
    for (const minutes of [31, 45, 59]) {
      vi.setSystemTime(start + minutes * 60_000)
      const fields = { ...more(version), 'upload-length': '11' }
      expect((await append(url, version, 5, '', fields)).status).toBeLessThan(300)
      expect((await append(url, version, 4, 'x', more(version))).status).toBe(409)
      await stateOf(url, version)
    }
    vi.setSystemTime(start + hour + 1)
    expect((await append(url, version, 5, ' world', end(version))).status).toBe(goneStatus(version))
    expect(await site.handler.uploads.removeExpired()).toBe(1)
  })
})

describe('an upload whose server died when all bytes were stored', () => {
  /** Kills a server, and starts the next one two hours later. */
  async function crash(framing: Fields) {
    const directory = await temporaryDirectory()
    const after = 'after dataStore.append'
    const first = await startServer({ directory, stop: after, ...hourly })
    const lost = openRequest(creation(first, 9, 'hello world', { ...end(9), ...framing }))
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
    expect(await stateOf(url, 9)).toMatchObject(end(9))
  })

  test('R-057 expires when its end was not recorded', async () => {
    const { site, url } = await crash(chunked)
    expect(await site.handler.uploads.finishPending()).toBe(0)
    expect((await ask('HEAD', url, 9)).status).toBe(410)
    expect(await site.handler.uploads.removeExpired()).toBe(1)
    expect((await ask('HEAD', url, 9)).status).toBe(404)
  })
})
