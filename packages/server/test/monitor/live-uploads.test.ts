import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { StoreComposer, TusError, type Upload } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  idOf,
  openPatch,
  patch,
  post,
  remove,
  until,
} from '../../../../test/support/serve.js'
import { silent } from '../../../../test/support/silent.js'
import { LiveUploads, maxErrors, maxIdle } from '../../src/monitor/live-uploads.js'
import { memoryComposer, uploadIn, watch, type WatchedSite } from './watched-site.js'

const name = (text: string) => `filename ${Buffer.from(text).toString('base64')}`

/** So many bytes that their speed shows for a long time. */
const large = 1_000_000

/** Waits until an upload is in a state, and returns what is reported of it. */
async function untilState({ report }: WatchedSite, id: string, state: string | undefined) {
  const found = await until(report, (one) => uploadIn(one, id)?.state === state)
  return uploadIn(found, id)
}

test('an upload is shown while its bytes come, when it stalls, and until it is finished', async () => {
  const site = await watch({ monitor: { worker: 3, stalledAfter: 200 } })
  const url = await createUpload(site, {
    'upload-length': String(large + 5),
    'upload-metadata': name('<b>holiday</b>.mp4'),
  })
  const id = idOf(url)
  expect(uploadIn(await site.report(), id)).toMatchObject({ state: 'idle', offset: 0 })

  const { request, reply } = openPatch(url, 0)
  request.write(Buffer.alloc(large))
  const receiving = await until(site.report, (one) => uploadIn(one, id)?.offset === large)
  const found = uploadIn(receiving, id)!
  expect(found).toMatchObject({
    name: '<b>holiday</b>.mp4',
    length: large + 5,
    quiet: 0,
    holder: { worker: 3 },
    errors: [],
  })
  expect(found.bytesPerSecond).toBeGreaterThan(0)
  expect(found.age).toBeGreaterThanOrEqual(found.holder!.for)
  expect(Date.parse(found.holder!.since)).toBeGreaterThanOrEqual(Date.parse(found.startedAt!) - 1)

  await untilState(site, id, 'stalled')
  expect((await site.values('tuskit_uploads_active'))['stalled']).toBe(1)
  request.write('wor')
  await until(site.report, (one) => uploadIn(one, id)?.offset === large + 3)
  request.end('ld')
  expect((await reply).status).toBe(204)
  expect((await site.report()).uploads).toEqual([])
  expect((await site.values('tuskit_uploads_active'))['stalled']).toBe(0)
  expect(await site.values('tuskit_bytes_stored_total')).toEqual({ '': large + 5 })
})

test('an upload whose client has gone is idle, and remembers its errors', async () => {
  const site = await watch()
  const url = await createUpload(site)
  const { request } = openPatch(url, 0)
  request.write('hello')
  await until(site.report, (one) => uploadIn(one, idOf(url))?.offset === 5)
  request.destroy()
  await untilState(site, idOf(url), 'idle')
  await patch(url, 9, 'a')
  await patch(url, 9, 'a')
  const report = await until(site.report, ({ errors }) => errors.length === 3)
  const found = uploadIn(report, idOf(url))!
  expect(found).toMatchObject({ offset: 5, state: 'idle' })
  expect(found.holder).toBeUndefined()
  expect(found.errors).toMatchObject([
    { code: 'ERR_BODY_INCOMPLETE', count: 1 },
    { code: 'ERR_OFFSET_MISMATCH', count: 2 },
  ])
  expect(report.errors[0]).toMatchObject({
    method: 'PATCH',
    code: 'ERR_OFFSET_MISMATCH',
    status: 409,
    uploadId: idOf(url),
  })
  await remove(url)
  expect((await site.report()).uploads).toEqual([])
})

test('a process that waits for a lock shows it, and the one that holds it shows since when', async () => {
  const composer = memoryComposer()
  let finish = () => {}
  const finishing = new Promise<void>((resolve) => (finish = resolve))
  const holder = await watch({ composer, hooks: { preFinish: () => finishing } })
  const other = await watch({ composer, monitor: { worker: 1 } })
  const url = await createUpload(holder)
  const patching = patch(url, 0, 'hello world')
  const id = idOf(url)
  expect((await untilState(holder, id, 'working'))!.holder).toMatchObject({ worker: 0 })

  const removing = remove(url.replace(holder.origin, other.origin))
  const waiting = (await untilState(other, id, 'waiting'))!
  expect(waiting.holder).toBeUndefined()
  expect(waiting.length).toBe(11)
  finish()
  expect((await patching).status).toBe(204)
  expect((await removing).status).toBe(204)
  expect((await holder.report()).uploads).toEqual([])
  expect((await other.report()).uploads).toEqual([])
  expect((await other.values('tuskit_lock_wait_seconds'))['writer']).toBe(1)
  expect(await other.values('tusd_uploads_terminated')).toEqual({ '': 1 })
})

test('without a locker, the holder shows while bytes come', async () => {
  const site = await watch({
    composer: new StoreComposer().use(new MemoryStore(), new MemoryInfoStore()),
    monitor: { worker: 2 },
  })
  const url = await createUpload(site)
  const { request, reply } = openPatch(url, 0)
  request.write('hello')
  const report = await until(site.report, (one) => uploadIn(one, idOf(url))?.offset === 5)
  expect(uploadIn(report, idOf(url))!.holder).toMatchObject({ worker: 2 })
  request.destroy()
  await reply.catch(() => {})
  expect((await untilState(site, idOf(url), 'idle'))!.holder).toBeUndefined()
})

test('a length that is declared last finishes the upload', async () => {
  const site = await watch()
  const url = await createUpload(site, { 'upload-defer-length': '1' })
  await patch(url, 0, 'hello world')
  expect(uploadIn(await site.report(), idOf(url))!.length).toBeUndefined()
  expect(await site.values('tusd_uploads_finished')).toEqual({ '': 0 })
  await patch(url, 11, '', { 'upload-length': '11' })
  expect(await site.values('tusd_uploads_finished')).toEqual({ '': 1 })
  expect((await site.report()).uploads).toEqual([])
})

test('bytes that fail verification were received, and not stored', async () => {
  const site = await watch()
  const url = await createUpload(site)
  const sha1 = createHash('sha1').update('other bytes').digest('base64')
  const { status } = await patch(url, 0, 'hello', { 'upload-checksum': `sha1 ${sha1}` })
  expect(status).toBe(460)
  expect(await site.values('tusd_bytes_received')).toEqual({ '': 5 })
  expect(await site.values('tuskit_bytes_stored_total')).toEqual({ '': 0 })
  expect(await site.values('tusd_errors_total')).toEqual({ 'ERR_CHECKSUM_MISMATCH,460': 1 })
})

test('rejected and expired uploads have counts of their own', async () => {
  const site = await watch({
    hooks: { preFinish: () => ({ reject: true }) },
    expiration: { after: 1, sweepEvery: 3_600_000 },
  })
  expect((await post(site, { 'upload-length': '0' })).status).toBe(400)
  expect(await site.values('tuskit_uploads_rejected_total')).toEqual({ '': 1 })
  await createUpload(site)
  await until(
    () => site.handler.uploads.removeExpired(),
    (count) => count > 0,
  )
  expect(await site.values('tuskit_uploads_expired_total')).toEqual({ '': 1 })
  expect(await site.values('tusd_uploads_terminated')).toEqual({ '': 0 })
  expect(await site.values('tusd_uploads_finished')).toEqual({ '': 0 })
})

test('a removal counts once, also where the disk is too full for its tombstone', async () => {
  const composer = memoryComposer()
  const infoStore = composer.slots().infoStore!
  composer.useInfoStore({
    create: (upload, options) => infoStore.create(upload, options),
    get: (id, options) => infoStore.get(id, options),
    delete: (id, options) => infoStore.delete(id, options),
    update: async () => {
      throw new TusError('ERR_STORAGE_FULL')
    },
  })
  const site = await watch({ composer, logger: silent })
  expect((await remove(await createUpload(site))).status).toBe(204)
  const counts = await until(
    () => site.values('tusd_uploads_terminated'),
    (found) => found['']! > 0,
  )
  expect(counts).toEqual({ '': 1 })
  expect(
    (await site.values('tuskit_store_errors_total'))['infoStore.update,ERR_STORAGE_FULL'],
  ).toBe(2)
})

test('connections are counted while they are open', async () => {
  const site = await watch()
  const { request } = openPatch(await createUpload(site), 0)
  const open = () => site.values('tusd_connections_open')
  await until(open, (found) => found[''] === 1)
  request.destroy()
  expect(await until(open, (found) => found[''] === 0)).toEqual({ '': 0 })
})

test('a limited number of uploads and errors is remembered', () => {
  const live = new LiveUploads()
  const upload = (id: string) =>
    ({
      id,
      revision: 1,
      length: 11,
      metadata: { raw: '', values: { filename: 'a'.repeat(10_000) } },
      createdAt: new Date().toISOString(),
      state: { kind: 'open' },
    }) as unknown as Upload
  const active = live.begin('active')
  live.describe(upload('active'))
  for (let i = 0; i < 3 * maxIdle; i++) {
    const one = live.begin(`idle-${i}`)
    live.describe(upload(`idle-${i}`))
    live.describe(upload(`read-${i}`))
    live.end(one)
    live.noteError({ at: '', method: 'PATCH', code: `ERR_${i}`, status: 400, uploadId: 'active' })
  }
  const found = live.report(0, 1000)
  expect(found).toHaveLength(maxIdle + 1)
  expect(found[0]!.id).toBe('active')
  expect(found[1]!.id).toBe(`idle-${3 * maxIdle - 1}`)
  expect(found[0]!.name).toHaveLength(200)
  expect(found[0]!.errors).toHaveLength(5)
  expect(live.errors).toHaveLength(maxErrors)
  live.end(active)
  expect(live.report(0, 1000)).toHaveLength(maxIdle)
})
