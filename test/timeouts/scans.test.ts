import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { StoreComposer, type ExpiryIndex, type InfoLister } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { createUpload, head, idOf, post, serve } from '../support/serve.js'
import { keptLog } from '../support/stages.js'

/** A fake, because no storage hangs on demand: its scans hang after the first id. */
function hangingScans(heeds: boolean) {
  const info = new MemoryInfoStore()
  const signals: AbortSignal[] = []
  let hangs = true
  async function* hanging(ids: AsyncIterable<string>, signal: AbortSignal) {
    signals.push(signal)
    for await (const id of ids) {
      yield id
      if (!hangs) continue
      await new Promise((_, reject) => {
        if (heeds) signal.addEventListener('abort', () => reject(signal.reason as Error))
      })
    }
  }
  const scans: ExpiryIndex & InfoLister = {
    expired: (now, options) => hanging(info.expired(now, options), options.signal),
    ids: (options) => hanging(info.ids(options), options.signal),
  }
  const composer = new StoreComposer().useInfoStore(info).useExpiryIndex(scans).useInfoLister(scans)
  new MemoryStore().useIn(composer)
  return { composer, signals, recover: () => (hangs = false) }
}

const unavailable = { code: 'ERR_STORAGE_UNAVAILABLE' }

describe.each([
  ['heeds its signal', true],
  ['ignores its signal', false],
])('an info store that hangs in the middle of a scan and %s', (_, heeds) => {
  async function siteOf(options: object = {}) {
    const scans = hangingScans(heeds)
    const log = keptLog()
    const { composer } = scans
    // Each step of a scan may take 240 times as long: 1.2 s.
    const site = await serve({ composer, storeTimeout: 5, logger: log, ...options })
    return { ...scans, site, log, uploads: site.handler.uploads }
  }

  test('fails finishPending and list in time, and is logged', async () => {
    const { site, uploads, log, signals } = await siteOf()
    await createUpload(site)
    await expect(uploads.finishPending()).rejects.toMatchObject(unavailable)
    const list = async () => {
      for await (const { id } of uploads.list()) expect(id).toBeDefined()
    }
    await expect(list()).rejects.toMatchObject(unavailable)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
    const lines = log.lines.filter(({ message }) => message === 'A store does not respond')
    expect(lines.map(({ fields }) => fields.call)).toEqual(['infoLister.ids', 'infoLister.ids'])
  })

  test('does not keep the next sweep from removing what has expired', async () => {
    const expiration = { after: 1, sweepEvery: 5 }
    const { site, recover, log } = await siteOf({ expiration })
    const { headers } = await post(site, { 'upload-length': '5' })
    await vi.waitFor(() => expect(log.lines).toContainEqual(sweepFailed), 20_000)
    recover()
    const url = site.origin + headers.location
    await vi.waitFor(async () => expect((await head(url)).status).toBe(404), 20_000)
  })

  test('is left at once by a caller that gives up', async () => {
    const warned = vi.spyOn(process, 'emitWarning')
    onTestFinished(() => warned.mockRestore())
    const { site, uploads, signals } = await siteOf({ storeTimeout: 2_147_483_647 })
    const id = idOf(await createUpload(site))
    const reason = new Error('Enough')
    const controller = new AbortController()
    const { signal } = controller
    const listed: string[] = []
    const list = async () => {
      for await (const upload of uploads.list({ signal })) listed.push(upload.id)
    }
    const listing = list()
    const finishing = uploads.finishPending({ signal })
    await vi.waitFor(() => expect(signals).toHaveLength(2))
    controller.abort(reason)
    await expect(listing).rejects.toBe(reason)
    await expect(finishing).rejects.toBe(reason)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
    expect(listed).not.toContain(id)
    // This is longer than any timer.
    expect(warned).not.toHaveBeenCalled()
  })
})

const sweepFailed = expect.objectContaining({
  message: 'The sweep failed',
  fields: { error: expect.objectContaining(unavailable) as object },
}) as object
