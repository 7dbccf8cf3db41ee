import { execFile } from 'node:child_process'
import { open, readdir, rm, writeFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { StoreComposer } from 'tuskit'
import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'
import {
  createUpload,
  head,
  idOf,
  patch,
  post,
  remove,
  serve,
  temporaryDirectory,
  until,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

const run = promisify(execFile)
const half = Buffer.alloc(50_000, 'x')
const gone: string[] = []

/** A server with a file system of its own that can hold a few uploads. */
async function onSmallDisk(after = 3_600_000, size = 'size=512k') {
  const directory = await temporaryDirectory()
  await run('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', directory])
  onTestFinished(async () => void (await run('umount', ['-l', directory])))
  const composer = new StoreComposer().use(
    new FileStore({ directory }),
    new FileInfoStore({ directory }),
  )
  // No test waits for the end of such a lease.
  const locker = new FileLocker({ directory, lease: 1_000_000 })
  locker.useIn(composer)
  const log = keptLog()
  gone.length = 0
  const site = await serve({
    composer,
    logger: log,
    expiration: { after },
    lockTimeout: 60_000,
    hooks: { postTerminate: ({ upload }) => void gone.push(`${upload.id} ${upload.state.kind}`) },
  })
  return { ...site, site, composer, directory, log, locker }
}

/** Uses all the space that is left. */
async function fill(directory: string): Promise<void> {
  const file = await open(join(directory, 'filler'), 'a')
  try {
    for (const size of [65_536, 4_096, 1]) await writeAll(file, Buffer.alloc(size))
  } finally {
    await file.close()
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (;;) {
    try {
      await file.write(bytes)
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOSPC') return
      throw error
    }
  }
}

test('DELETE frees space on a full disk, and another upload continues', async () => {
  const { site, directory } = await onSmallDisk()
  const length = { 'upload-length': String(2 * half.length) }
  const [url, other] = [
    await createUpload(site, { 'upload-length': String(3 * half.length) }),
    await createUpload(site, length),
  ]
  expect((await patch(url, 0, Buffer.concat([half, half]))).status).toBe(204)
  expect((await patch(other, 0, half)).status).toBe(204)
  await fill(directory)
  const refused = await patch(other, half.length, half)
  expect(refused.status).toBe(507)
  expect((await remove(url)).status).toBe(204)
  await until(
    () => readdir(directory),
    (names) => !names.some((name) => name.includes(idOf(url))),
  )
  expect((await head(url)).status).toBe(404)
  expect(gone).toEqual([`${idOf(url)} gone`])
  // Its lock was free at once, since the lease has not expired.
  const from = Number((await head(other)).headers['upload-offset'])
  expect(from).toBeGreaterThanOrEqual(half.length)
  const rest = half.subarray(0, 2 * half.length - from)
  expect((await patch(other, from, rest)).status).toBe(204)
  expect(await readdir(directory)).toContain('filler')
})

test('the sweep frees space on a full disk, and another upload continues', async () => {
  const { composer, log, site, directory, handler } = await onSmallDisk(1)
  const ids: string[] = []
  for (let n = 0; n < 3; n++) {
    const reply = await post(site, { 'upload-length': String(2 * half.length) }, half)
    ids.push(idOf(reply.headers.location!))
  }
  // A second server on the same directory, without expiration.
  const other = await createUpload(await serve({ composer, logger: log }), {
    'upload-length': String(2 * half.length),
  })
  expect((await patch(other, 0, half)).status).toBe(204)
  await fill(directory)
  expect((await patch(other, half.length, half)).status).toBe(507)
  expect(await handler.uploads.removeExpired()).toBe(3)
  const left = await readdir(directory)
  expect(left.filter((name) => ids.some((id) => name.includes(id)))).toEqual([])
  const from = Number((await head(other)).headers['upload-offset'])
  expect(from).toBeGreaterThanOrEqual(half.length)
  const rest = half.subarray(0, 2 * half.length - from)
  expect((await patch(other, from, rest)).status).toBe(204)
  expect(left).toContain('filler')
})

test('a released lock is free at once on a full disk', async () => {
  const { directory, locker } = await onSmallDisk()
  const options = { signal: new AbortController().signal, requestRelease: () => true }
  const first = await locker.acquire('a', options)
  await fill(directory)
  await first.release()
  const others = new FileLocker({ directory, lease: 1_000_000 })
  expect(await others.settle('a', options)).toBe('free')
  const second = await others.acquire('a', options)
  expect([second.token > first.token, second.forced]).toEqual([true, false])
  await second.release()
  const third = await locker.acquire('a', options)
  expect([third.token > second.token, third.forced]).toEqual([true, false])
  await third.release()
  await rm(join(directory, 'filler'))
  await others.prune()
  const fourth = await others.acquire('a', options)
  expect(fourth.token).toBeGreaterThan(third.token)
  await fourth.release()
})

/** Uses all the space that is left for files and folders. */
async function fillWithNames(directory: string): Promise<void> {
  for (let number = 0; ; number++) {
    try {
      await writeFile(join(directory, `filler-${number}`), '')
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOSPC') return
      throw error
    }
  }
}

test('DELETE and the sweep acquire locks on a disk that has no space for their folders', async () => {
  const { site, directory, handler, locker } = await onSmallDisk(1_000_000, 'nr_inodes=100')
  const length = { 'upload-length': String(2 * half.length) }
  const urls: string[] = []
  for (let n = 0; n < 4; n++) urls.push(await createUpload(site, length))
  await locker.prune()
  await fillWithNames(directory)
  expect((await post(site, length)).status).toBe(507)
  expect((await remove(urls[0]!)).status).toBe(204)
  await fillWithNames(directory)
  vi.useFakeTimers({ now: Date.now() + 2_000_000, toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
  expect(await handler.uploads.removeExpired()).toBe(3)
})
