import { execFile } from 'node:child_process'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { UploadBody } from 'tuskit'
import { spool, type SpoolOptions } from 'tuskit/store-kit'
import { bytesOfBuffers, sample, silentBody, watchedBody } from './stage.js'

const run = promisify(execFile)
const { signal } = new AbortController()
const content = sample(3_000_000)

function bodyOf(bytes: Buffer, piece = 65_536): UploadBody {
  function* batches() {
    for (let start = 0; start < bytes.length; start += piece) {
      yield [bytes.subarray(start, start + piece)]
    }
  }
  return watchedBody(batches()).body
}

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tuskit-spool-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** The descriptors of files in a directory that are open, even of files without a name. */
function openFiles(directory: string): string[] {
  const descriptors = readdirSync('/proc/self/fd').map((name) => `/proc/self/fd/${name}`)
  return descriptors.filter((path) => {
    try {
      return readlinkSync(path).startsWith(`${directory}/`)
    } catch {
      // The descriptor with which the directory was read.
      return false
    }
  })
}

async function stage(body: UploadBody, options: Partial<SpoolOptions> = {}) {
  const directory = await newDirectory()
  const collected = await spool(body, { signal, directory, ...options })
  onTestFinished(() => collected.close())
  return { collected, directory }
}

async function bytesOf(body: UploadBody): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const batch of body) all.push(...batch)
  return Buffer.concat(all)
}

describe('has the bytes of the body', () => {
  test.each([
    ['in memory', 3_000_000],
    ['in a file', 2_999_999],
    ['in a file from the beginning', 0],
    ['in memory without a limit', Infinity],
  ])('%s, as often as needed', async (_, memory) => {
    const { collected, directory } = await stage(bodyOf(content), { memory })
    expect(collected.size).toBe(content.length)
    expect(openFiles(directory)).toHaveLength(memory < content.length ? 1 : 0)
    const bodies = [collected.body(), collected.body(), collected.body()] as const
    expect(bodies.map(({ size }) => size)).toEqual([3_000_000, 3_000_000, 3_000_000])
    const [first, second] = await Promise.all([bytesOf(bodies[0]), buffer(bodies[1].readable())])
    expect([first.equals(content), second.equals(content)]).toEqual([true, true])
    expect((await bytesOf(bodies[2])).equals(content)).toBe(true)
  })

  test('of an empty body', async () => {
    const { collected } = await stage(bodyOf(Buffer.alloc(0)), { memory: 0 })
    expect(collected.size).toBe(0)
    expect(await bytesOf(collected.body())).toHaveLength(0)
  })
})

test('a body up to 1 MiB stays in memory by default', async () => {
  const small = await stage(bodyOf(content.subarray(0, 1_048_576)))
  expect(openFiles(small.directory)).toHaveLength(0)
  const large = await stage(bodyOf(content.subarray(0, 1_048_577)))
  expect(openFiles(large.directory)).toHaveLength(1)
})

test('the file has no name, so that nothing remains after a crash, and only its user can read it', async () => {
  const { directory } = await stage(bodyOf(content))
  expect(await readdir(directory)).toEqual([])
  const [file] = openFiles(directory)
  const { mode, size, nlink } = statSync(file!)
  expect([mode & 0o777, size, nlink]).toEqual([0o600, content.length, 0])
})

test('close frees the file, and may be called twice', async () => {
  const { collected, directory } = await stage(bodyOf(content))
  await Promise.all([collected.close(), collected.close()])
  expect(openFiles(directory)).toEqual([])
  await collected.close()
  expect(() => collected.body()).toThrow('The spool is closed')
})

test.each([
  ['in memory', Infinity],
  ['in a file', 0],
])('a body %s that is read after close fails', async (_, memory) => {
  const { collected } = await stage(bodyOf(content), { memory })
  const [unread, begun, stream] = [collected.body(), collected.body(), collected.body()]
  const batches = begun[Symbol.asyncIterator]()
  await batches.next()
  await collected.close()
  const failure = 'The spool is closed'
  await expect(bytesOf(unread)).rejects.toThrow(failure)
  // In memory, the first batch has all bytes.
  if (memory === 0) await expect(batches.next()).rejects.toThrow(failure)
  await expect(buffer(stream.readable())).rejects.toThrow(failure)
})

test('a body that is read in part leaves the others alone', async () => {
  const { collected } = await stage(bodyOf(content))
  for await (const batch of collected.body()) {
    expect(batch[0]!.equals(content.subarray(0, batch[0]!.length))).toBe(true)
    break
  }
  collected.body().readable().destroy()
  expect((await bytesOf(collected.body())).equals(content)).toBe(true)
})

test('collecting and reading need little memory, however long the body is', async () => {
  const piece = sample(262_144)
  const count = 400
  let most = 0
  const before = bytesOfBuffers()
  const measure = () => void (most = Math.max(most, bytesOfBuffers() - before))
  async function* long() {
    for (let n = 0; n < count; n++) {
      if (n % 50 === 0) measure()
      yield [Buffer.from(piece)]
    }
  }
  const { collected } = await stage(watchedBody(long()).body)
  expect(collected.size).toBe(count * piece.length)
  let n = 0
  for await (const batch of collected.body()) {
    expect(batch[0]!.equals(piece)).toBe(true)
    if (n++ % 50 === 0) measure()
  }
  expect(n).toBe(count)
  expect(most).toBeLessThan(4 * 1024 * 1024)
})

describe('nothing remains', () => {
  test('when the signal aborts while the client is silent', async () => {
    const directory = await newDirectory()
    const controller = new AbortController()
    const { body, seen } = silentBody([content])
    const reason = new Error('no longer needed')
    const spooling = spool(body, { signal: controller.signal, directory })
    while (openFiles(directory).length === 0) await new Promise(setImmediate)
    controller.abort(reason)
    await expect(spooling).rejects.toBe(reason)
    expect([openFiles(directory), seen.returned]).toEqual([[], true])
  })

  test('when the body fails', async () => {
    const directory = await newDirectory()
    const failure = new Error('the body failed')
    async function* failing() {
      yield [content]
      throw failure
    }
    const spooling = spool(watchedBody(failing()).body, { signal, directory })
    await expect(spooling).rejects.toBe(failure)
    expect(openFiles(directory)).toEqual([])
  })

  test('when the disk is full, which does not mean that the storage is', async () => {
    const directory = await newDirectory()
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory])
    onTestFinished(async () => void (await run('umount', ['-l', directory])))
    const { body, seen } = watchedBody(bodyOf(content))
    await expect(spool(body, { signal, directory })).rejects.toMatchObject({
      code: 'ERR_STORAGE_UNAVAILABLE',
      cause: { code: 'ENOSPC' },
    })
    expect([openFiles(directory), seen.ended]).toEqual([[], true])
    expect(await readdir(directory)).toEqual([])
  })

  test('when there is no directory', async () => {
    const directory = join(await newDirectory(), 'missing')
    await expect(spool(bodyOf(content), { signal, directory })).rejects.toMatchObject({
      code: 'ERR_STORAGE_UNAVAILABLE',
      cause: { code: 'ENOENT' },
    })
    expect((await spool(bodyOf(content.subarray(0, 10)), { signal, directory })).size).toBe(10)
  })
})

test('options are checked', async () => {
  const wrong = (options: object) => spool(bodyOf(content), options as never)
  await expect(wrong({})).rejects.toThrow("spool: option 'signal' must be an AbortSignal")
  await expect(wrong({ signal, memory: -1 })).rejects.toThrow("option 'memory' must be")
  await expect(wrong({ signal, dir: '/tmp' })).rejects.toThrow("did you mean 'directory'?")
})
