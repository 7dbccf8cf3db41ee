import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { StoreComposer, type LockRequester } from 'tuskit'
import { FileInfoStore, FileLocker, FileStore, type FileStoreOptions } from 'tuskit/file-store'
import {
  createUpload,
  head,
  patch,
  post,
  remove,
  send,
  serve,
  temporaryDirectory,
  type Reply,
} from '../support/serve.js'
import { Disk } from '../../src/file-store/disk/disk.js'
import { keptLog } from '../support/stages.js'
import { content, signal, text, uploadOf, writing } from './stage.js'

const run = promisify(execFile)
const unavailable = { code: 'ERR_STORAGE_UNAVAILABLE' }

function serveFrom(directory: string, options: Partial<FileStoreOptions> = {}) {
  const composer = new StoreComposer()
  for (const part of [FileStore, FileInfoStore, FileLocker]) {
    new part({ directory, ...options }).useIn(composer)
  }
  return serve({ composer, logger: keptLog(), expiration: { after: 3_600_000 } })
}

/** An empty directory that can be unmounted and mounted again; needs root. */
async function newMountPoint() {
  const home = await temporaryDirectory()
  const [disk, point] = [join(home, 'disk'), join(home, 'point')]
  await mkdir(disk)
  await mkdir(point)
  // A disk that keeps its files while it is mounted nowhere else.
  await run('mount', ['-t', 'tmpfs', 'tmpfs', disk])
  const unmount = (path: string) => run('umount', ['-l', path])
  onTestFinished(async () => {
    await unmount(point).catch(() => {})
    await unmount(disk)
  })
  return {
    path: point,
    mount: () => run('mount', ['--bind', disk, point]),
    unmount: () => unmount(point),
  }
}

const codes = (replies: readonly Reply[]) =>
  replies.map(({ status, text }) => `${status} ${text.split(':')[0]}`.trim())

/** Sends every kind of request for the upload at `url`, and returns the outcomes. */
async function askAll(site: { origin: string }, url: string): Promise<string[]> {
  return codes([
    await head(url),
    await patch(url, 2, 'llo'),
    await send({ method: 'GET', url }),
    await remove(url),
    await post(site, { 'upload-length': '5' }),
    await head(`${site.origin}/files/other`),
  ])
}

const refused = ['423', ...Array<string>(4).fill('503 ERR_STORAGE_UNAVAILABLE'), '423']

test('a disk that is unmounted under a server is unavailable, and the server creates nothing at its mount point', async () => {
  const disk = await newMountPoint()
  await disk.mount()
  const site = await serveFrom(disk.path)
  const url = await createUpload(site, { 'upload-length': '5' })
  expect((await patch(url, 0, 'he')).status).toBe(204)
  expect((await head(`${site.origin}/files/other`)).status).toBe(404)
  await disk.unmount()
  expect(await askAll(site, url)).toEqual(refused)
  await expect(site.handler.uploads.removeExpired()).rejects.toMatchObject(unavailable)
  expect(await readdir(disk.path)).toEqual([])
  await disk.mount()
  expect((await head(url)).headers['upload-offset']).toBe('2')
  expect((await patch(url, 2, 'llo')).status).toBe(204)
  expect((await head(`${site.origin}/files/other`)).status).toBe(404)
})

test('a server that starts before its disk is mounted waits for it if the directory must exist', async () => {
  const disk = await newMountPoint()
  await disk.mount()
  const url = await createUpload(await serveFrom(disk.path), { 'upload-length': '5' })
  await patch(url, 0, 'he')
  await disk.unmount()
  const site = await serveFrom(disk.path, { mustExist: true })
  const again = `${site.origin}${new URL(url).pathname}`
  expect(await askAll(site, again)).toEqual(refused)
  expect(await readdir(disk.path)).toEqual([])
  await disk.mount()
  expect((await patch(again, 2, 'llo')).status).toBe(204)
})

test('a directory that is renamed under a server is not created again, and works once it is back', async () => {
  const directory = join(await temporaryDirectory(), 'uploads')
  const site = await serveFrom(directory)
  const url = await createUpload(site, { 'upload-length': '5' })
  await patch(url, 0, 'he')
  await rename(directory, `${directory}-elsewhere`)
  expect(await askAll(site, url)).toEqual(refused)
  await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' })
  await rename(`${directory}-elsewhere`, directory)
  expect((await patch(url, 2, 'llo')).status).toBe(204)
})

test('a disk that is unmounted while a record is read is unavailable, not empty', async () => {
  const home = await temporaryDirectory()
  const directory = join(home, 'uploads')
  const store = new FileInfoStore({ directory })
  await store.create(uploadOf('a'), { signal })
  const { open } = Disk.prototype
  const opening = vi.spyOn(Disk.prototype, 'open').mockImplementationOnce(async function (
    this: Disk,
    ...args
  ) {
    await rename(directory, join(home, 'elsewhere'))
    return open.apply(this, args)
  })
  onTestFinished(() => opening.mockRestore())
  const other = new FileInfoStore({ directory })
  expect(await other.get('b')).toBeUndefined()
  await expect(other.get('a')).rejects.toMatchObject(unavailable)
})

/** Runs a call on a directory that is missing, and there again when its mark is looked for. */
async function remounting<T>(directory: string, call: () => Promise<T>): Promise<T> {
  const elsewhere = `${directory}-elsewhere`
  await rename(directory, elsewhere)
  const { lstat } = Disk.prototype
  let isAway = true
  const looking = vi.spyOn(Disk.prototype, 'lstat').mockImplementation(async function (
    this: Disk,
    path,
  ) {
    if (isAway && basename(path) === '.tuskit') {
      isAway = false
      await rename(elsewhere, directory)
    }
    return lstat.call(this, path)
  })
  try {
    return await call()
  } finally {
    looking.mockRestore()
  }
}

test.each(['os', 'disk'] as const)(
  'a disk that is mounted again while data is missing does not hide it, with durability %s',
  async (durability) => {
    const directory = join(await temporaryDirectory(), 'uploads')
    const store = new FileStore({ directory, durability })
    const upload = uploadOf('a', { length: 5 })
    await store.create(upload, writing())
    await store.append(upload, { offset: 0 }, text('hello'), writing())
    const away = <T>(call: () => Promise<T>) => remounting(directory, call)
    expect(await away(() => store.stat(upload, { signal }))).toMatchObject({ offset: 5 })
    expect(await away(() => content(store, upload))).toBe('hello')
    await away(() => store.terminate(upload, writing()))
    await expect(store.stat(upload, { signal })).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' })
  },
)

test('a disk that is mounted again while a record is missing does not hide the record', async () => {
  const directory = join(await temporaryDirectory(), 'uploads')
  const store = new FileInfoStore({ directory })
  const record = uploadOf('a')
  await store.create(record, { signal })
  expect(await remounting(directory, () => store.get('a'))).toEqual(record)
  const next = { ...record, revision: 2 }
  await remounting(directory, () => store.update(next, { signal }))
  expect(await store.get('a')).toEqual(next)
  await remounting(directory, () => store.delete('a', { signal }))
  expect(await store.get('a')).toBeUndefined()
})

test('data that cannot be reached is not given up', async () => {
  const directory = join(await temporaryDirectory(), 'data')
  const composer = new StoreComposer()
  const records = await temporaryDirectory()
  composer.use(new FileStore({ directory }), new FileInfoStore({ directory: records }))
  const site = await serve({ composer, logger: keptLog(), expiration: { after: 3_600_000 } })
  const url = await createUpload(site, { 'upload-length': '5' })
  await patch(url, 0, 'he')
  await rename(directory, `${directory}-elsewhere`)
  expect((await remove(url)).status).toBe(503)
  expect(await site.handler.uploads.removeExpired()).toBe(0)
  expect((await readdir(records)).filter((name) => name.endsWith('.info'))).toHaveLength(1)
  await rename(`${directory}-elsewhere`, directory)
  expect(await site.handler.uploads.removeExpired()).toBe(1)
  expect(await readdir(directory)).toEqual(['.tuskit'])
})

/** Makes what is mounted at a path read-only, or writable again. */
const remount = (path: string, mode: 'ro' | 'rw') =>
  run('mount', ['-o', `remount,${mode},bind`, path])

test('a directory without a mark, in which none can be made, is unavailable for everything', async () => {
  const disk = await newMountPoint()
  await disk.mount()
  await remount(disk.path, 'ro')
  for (const directory of [disk.path, join(disk.path, 'missing')]) {
    const [data, records] = [new FileStore({ directory }), new FileInfoStore({ directory })]
    const locks = new FileLocker({ directory })
    const upload = uploadOf('a', { length: 5 })
    const operations: Record<string, () => Promise<unknown>> = {
      create: () => data.create(upload, writing()),
      append: () => data.append(upload, { offset: 0 }, text('hello'), writing()),
      stat: () => data.stat(upload, { signal }),
      read: () => content(data, upload),
      terminate: () => data.terminate(upload, writing()),
      'create a record': () => records.create(upload, { signal }),
      get: () => records.get('a'),
      update: () => records.update({ ...upload, revision: 2 }, { signal }),
      delete: () => records.delete('a', { signal }),
      ids: () => records.ids({ signal })[Symbol.asyncIterator]().next(),
      expired: () => records.expired(new Date(), { signal })[Symbol.asyncIterator]().next(),
      acquire: () => locks.acquire('a', { signal, requestRelease: () => true }),
      settle: () => locks.settle('a', { signal }),
    }
    for (const [name, operation] of Object.entries(operations)) {
      await expect(operation(), name).rejects.toMatchObject(unavailable)
    }
  }
  await remount(disk.path, 'rw')
  expect(await readdir(disk.path)).toEqual([])
})

test('a read-only disk with a mark can be read', async () => {
  const disk = await newMountPoint()
  await disk.mount()
  const directory = disk.path
  const upload = uploadOf('a', { length: 3 })
  await new FileInfoStore({ directory }).create(upload, { signal })
  const store = new FileStore({ directory })
  await store.create(upload, writing())
  await store.append(upload, { offset: 0 }, text('abc'), writing())
  await remount(directory, 'ro')
  expect(await content(new FileStore({ directory }), upload)).toBe('abc')
  const records = new FileInfoStore({ directory })
  expect([await records.get('a'), await records.get('b')]).toEqual([upload, undefined])
  expect(await new FileLocker({ directory }).settle('a', { signal })).toBe('free')
  const other = new FileStore({ directory })
  await expect(other.create(uploadOf('b'), writing())).rejects.toMatchObject(unavailable)
})

test('a directory from before there were marks is adopted once it is writable', async () => {
  const disk = await newMountPoint()
  await disk.mount()
  const store = new FileStore({ directory: disk.path })
  const upload = uploadOf('a')
  await store.create(upload, writing())
  await store.append(upload, { offset: 0 }, text('abc'), writing())
  await rm(join(disk.path, '.tuskit'))
  await remount(disk.path, 'ro')
  const other = new FileStore({ directory: disk.path })
  await expect(other.stat(upload, { signal })).rejects.toMatchObject(unavailable)
  await remount(disk.path, 'rw')
  expect(await other.stat(upload, { signal })).toMatchObject({ offset: 3 })
  expect(await readdir(disk.path)).toContain('.tuskit')
  const strict = new FileStore({ directory: disk.path, mustExist: true })
  expect(await strict.stat(upload, { signal })).toMatchObject({ offset: 3 })
})

test('a directory that must exist is recognised by its mark alone', async () => {
  const directory = await temporaryDirectory()
  const store = new FileStore({ directory, mustExist: true })
  await expect(store.create(uploadOf('a'), writing())).rejects.toMatchObject(unavailable)
  await writeFile(join(directory, '.tuskit'), '')
  await store.create(uploadOf('a'), writing())
  expect(() => new FileLocker({ directory, mustExist: 1 as never })).toThrow("'mustExist' must be")
})

test('store, info store and locker create the directory with the same permissions, in any order', async () => {
  for (const first of [FileStore, FileInfoStore, FileLocker]) {
    const directory = join(await temporaryDirectory(), 'uploads')
    const permissions = { directoryPermissions: 0o700, filePermissions: 0o600 }
    const composer = new StoreComposer()
    for (const part of new Set([first, FileStore, FileInfoStore, FileLocker])) {
      new part({ directory, ...permissions }).useIn(composer)
    }
    await createUpload(await serve({ composer }))
    const names = await readdir(directory, { recursive: true })
    for (const name of ['', ...names]) {
      const found = await stat(join(directory, name))
      expect([name, (found.mode & 0o777).toString(8)]).toEqual([
        name,
        found.isDirectory() ? '700' : '600',
      ])
    }
    expect(names).toContain('.locks')
  }
})

test('a disk that is mounted again while a lock is used does not hide the lock', async () => {
  const directory = join(await temporaryDirectory(), 'uploads')
  const holder = new FileLocker({ directory, lease: 5000 })
  const other = new FileLocker({ directory, lease: 5000 })
  const away = <T>(call: () => Promise<T>) => remounting(directory, call)
  expect(await other.settle('a', { signal })).toBe('free')
  const options = { signal, requestRelease: (by: LockRequester) => by === 'writer' }
  const lock = await holder.acquire('a', options)
  expect(await away(() => other.settle('a', { signal }))).toBe('held')
  const path = join(directory, '.locks/a/1')
  const beat = () => readFile(path, 'utf8').catch(() => '')
  // The next renewal finds the disk missing.
  await away(() => expect.poll(beat, { timeout: 10_000 }).toBe('1'))
  expect(lock.held()).toBe(true)
  await away(() => lock.release())
  expect(await away(() => other.acquire('a', options))).toMatchObject({ token: 2, forced: false })
})

/** Takes a lock twice: the second time in a directory that is created where the first one was. */
async function lockedTwice() {
  const directory = join(await temporaryDirectory(), 'uploads')
  // Long enough for a busy machine to keep the second lock.
  const locker = () => new FileLocker({ directory, lease: 5000 })
  const options = { signal, requestRelease: () => false }
  const first = await locker().acquire('a', options)
  await rename(directory, `${directory}-elsewhere`)
  const second = await locker().acquire('a', options)
  return { first, second, settle: () => locker().settle('a', { signal }) }
}

test('a lock is lost when another directory is created in the place of its own', async () => {
  const { first, second, settle } = await lockedTwice()
  await expect.poll(() => first.held(), { timeout: 60_000 }).toBe(false)
  expect(first.lost.aborted).toBe(true)
  await first.release()
  expect(second.held()).toBe(true)
  expect(await settle()).toBe('held')
})

test('the release of a lock ends no lock in another directory in the place of its own', async () => {
  const { first, second, settle } = await lockedTwice()
  await first.release()
  expect(await settle()).toBe('held')
  expect(second.held()).toBe(true)
})

test('a lock on a disk that is unmounted is lost before another process gets it', async () => {
  const disk = await newMountPoint()
  await disk.mount()
  const options = { signal, requestRelease: () => true }
  const [holder, other] = [1, 2].map(() => new FileLocker({ directory: disk.path, lease: 1000 }))
  await (await other!.acquire('a', options)).release()
  const lock = await holder!.acquire('a', options)
  await disk.unmount()
  await expect(other!.acquire('a', options)).rejects.toMatchObject(unavailable)
  await expect(other!.settle('a', { signal })).rejects.toMatchObject(unavailable)
  if (!lock.lost.aborted) await once(lock.lost, 'abort')
  expect(lock.held()).toBe(false)
  await disk.mount()
  expect(await other!.acquire('a', options)).toMatchObject({ token: 3, forced: true })
  await lock.release()
  expect(await readdir(join(disk.path, '.locks/a'))).toEqual(['2', '3'])
})

// There, `mkdir` with the option `recursive` never ends.
test('a directory that can never be created is unavailable at once', async () => {
  const site = await serveFrom('/proc/tuskit/uploads')
  expect(await askAll(site, `${site.origin}/files/any`)).toEqual(refused)
})
