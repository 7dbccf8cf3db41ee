import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FileLocker } from 'tuskit/file-store'
import { temporaryDirectory } from '../support/serve.js'

test('a dead holder is noticed although everybody waits for less than a lease', async () => {
  const directory = await temporaryDirectory()
  // What a process leaves that was killed when it had just taken the lock.
  await mkdir(join(directory, '.locks/a'), { recursive: true })
  await writeFile(join(directory, '.locks/a/1'), '')
  const locker = new FileLocker({ directory, lease: 500 })
  const settle = () =>
    locker.settle('a', { signal: AbortSignal.timeout(50) }).catch(() => 'not known yet')

  const outcomes = [await settle()]
  while (!outcomes.includes('free')) outcomes.push(await settle())
  expect(outcomes[0]).toBe('not known yet')
})

test('a request that cannot be left to the holder leaves nothing open', async () => {
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
  // A watcher that is closed goes in one of the next turns of the loop.
  await expect.poll(() => open().length).toBe(before)
})
