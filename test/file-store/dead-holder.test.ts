import { mkdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FileLocker } from 'tuskit/file-store'
import { temporaryDirectory } from '../support/serve.js'

test('a dead holder is noticed even if every request waits for less than a lease', async () => {
  const directory = await temporaryDirectory()
  // The state after a process was killed that had just acquired the lock.
  await mkdir(join(directory, '.locks/a'), { recursive: true })
  await writeFile(join(directory, '.locks/a/1'), '')
  const locker = new FileLocker({ directory, lease: 500 })
  const settle = () =>
    locker.settle('a', { signal: AbortSignal.timeout(50) }).catch(() => 'still unknown')

  const outcomes = [await settle()]
  while (!outcomes.includes('free')) outcomes.push(await settle())
  expect(outcomes[0]).toBe('still unknown')
})

test('a request that stops waiting for the holder leaves nothing open', async () => {
  const directory = await temporaryDirectory()
  await mkdir(join(directory, '.locks/a/1.writer'), { recursive: true })
  await writeFile(join(directory, '.locks/a/1'), '')
  const locker = new FileLocker({ directory })
  const open = () => process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap')
  const before = open().length
  const acquired = locker.acquire('a', {
    signal: new AbortController().signal,
    requestRelease: () => true,
  })
  await expect(acquired).rejects.toMatchObject({
    code: 'ERR_STORAGE_UNAVAILABLE',
    cause: { code: 'EISDIR' },
  })
  // A closed watcher disappears in one of the next turns of the event loop.
  await expect.poll(() => open().length).toBe(before)
})

test('a request that fails after it took the lock releases it', async () => {
  const directory = await temporaryDirectory()
  await mkdir(join(directory, '.locks/a/1.writer'), { recursive: true })
  await writeFile(join(directory, '.locks/a/1'), 'released')
  const locker = new FileLocker({ directory, lease: 100_000 })
  const options = { signal: new AbortController().signal, requestRelease: () => true }
  const unavailable = { code: 'ERR_STORAGE_UNAVAILABLE' }
  await expect(locker.acquire('a', options)).rejects.toMatchObject(unavailable)
  await rmdir(join(directory, '.locks/a/1.writer'))
  expect(await locker.acquire('a', options)).toMatchObject({ token: 3, forced: false })
})
