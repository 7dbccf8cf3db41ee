import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as tusJsClient from 'tus-js-client'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { FileInfoStore, FileLocker, FileStore } from 'tuskit/file-store'
import { ensureProgram } from '../house/debian-packages.mjs'
import { memoryComposer, serve, temporaryDirectory } from '../support/serve.js'
import { startServer } from '../support/server-process.js'
import { keptLog, storeWith } from '../support/stages.js'
import { Disk } from '../torture/disk.js'

const run = promisify(execFile)
const data = randomBytes(2_000_001)
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

interface Fault {
  begin(): Promise<unknown>
  end(): Promise<unknown>
}

/**
 * Uploads with tus-js-client through a fault, which begins between two chunks and ends after six
 * failed requests. Returns the URL, all URLs of requests, the statuses and the error codes.
 */
async function uploadThrough(endpoint: string, fault: Fault) {
  const replies: string[] = []
  const urls = new Set<string>()
  const codes = new Set<string>()
  let failed = 0
  let broken = false
  const url = await new Promise<string>((resolve, reject) => {
    const client = new tusJsClient.Upload(data as never, {
      endpoint,
      chunkSize: 500_000,
      retryDelays: Array<number>(200).fill(20),
      async onBeforeRequest(request) {
        if (request.getMethod() !== 'POST') urls.add(request.getURL())
        if (failed > 0 || broken || request.getHeader('Upload-Offset') !== '1000000') return
        broken = true
        await fault.begin()
      },
      async onAfterResponse(request, response) {
        const code = response.getBody()?.split(':')[0]
        replies.push(`${request.getMethod()} ${response.getStatus()}`)
        if (code) codes.add(code)
        if (response.getStatus() < 400 || ++failed < 6) return
        if (broken) await fault.end()
        broken = false
      },
      onSuccess: () => resolve(client.url!),
      onError: reject,
    })
    client.start()
  })
  return { url, urls, replies, codes }
}

function expectResumed(url: string, { urls, replies }: { urls: Set<string>; replies: string[] }) {
  expect(replies.filter((reply) => reply.startsWith('POST'))).toEqual(['POST 201'])
  expect([...urls]).toEqual([url])
  expect(replies.filter((reply) => /^HEAD/.test(reply) && !/200|423/.test(reply))).toEqual([])
  expect(replies.filter((reply) => / (4|5)/.test(reply)).length).toBeGreaterThanOrEqual(6)
}

/** Replaces a folder or file for a while. */
function replaced(path: () => Promise<string>, by: (path: string) => Promise<unknown>): Fault {
  let place: string
  return {
    async begin() {
      place = await path()
      await rename(place, `${place}-away`)
      await by(place)
    },
    async end() {
      await rm(place, { recursive: true, force: true })
      await rename(`${place}-away`, place)
    },
  }
}

const nothing = async () => {}
const file = (path: string) => writeFile(path, '')
const folder = (path: string) => mkdir(path)
const loop = (path: string) => symlink(path, path)

/** Returns the path of a part of the only upload. */
const found = (directory: string, pattern: RegExp) => async () => {
  const names = await readdir(directory)
  return join(
    directory,
    names.find((name) => pattern.test(name))!,
  )
}
const record = /^\..*\.info$/
const content = /^[^.]/

const faults: readonly (readonly [string, (directory: string) => Fault])[] = [
  ['its directory is missing', (directory) => replaced(async () => directory, nothing)],
  ['its directory is empty', (directory) => replaced(async () => directory, folder)],
  ['its directory is a file (ENOTDIR)', (directory) => replaced(async () => directory, file)],
  ['its directory is a loop (ELOOP)', (directory) => replaced(async () => directory, loop)],
  ['its record is a folder (EISDIR)', (directory) => replaced(found(directory, record), folder)],
  ['its record is a loop (ELOOP)', (directory) => replaced(found(directory, record), loop)],
  ['its data is a folder (EISDIR)', (directory) => replaced(found(directory, content), folder)],
  ['its data is a loop (ELOOP)', (directory) => replaced(found(directory, content), loop)],
  [
    'its locks are a file (ENOTDIR)',
    (directory) => replaced(async () => join(directory, '.locks'), file),
  ],
  [
    'it may not be read (EACCES)',
    // Root may do everything, so the process runs as another user for a while.
    (directory) => ({
      async begin() {
        await chmod(directory, 0o700)
        process.seteuid!(65_534)
      },
      async end() {
        process.seteuid!(0)
      },
    }),
  ],
  [
    'it may not be written (EROFS)',
    (directory) => ({
      begin: () => run('mount', ['-o', 'remount,ro', directory]),
      end: () => run('mount', ['-o', 'remount,rw', directory]),
    }),
  ],
]

test.each(faults)(
  'tus-js-client resumes after storage fails for a while because %s',
  async (name, faultOf) => {
    const home = await temporaryDirectory()
    const directory = join(home, 'disk', 'uploads')
    await mkdir(directory, { recursive: true })
    const fault = faultOf(directory)
    if (name.includes('EROFS')) {
      await run('mount', ['-t', 'tmpfs', 'tmpfs', directory])
      onTestFinished(async () => void (await run('umount', ['-l', directory])))
    }
    const composer = new StoreComposer().use(
      new FileStore({ directory }),
      new FileInfoStore({ directory }),
      new FileLocker({ directory, lease: 1_000 }),
    )
    const log = keptLog()
    const { origin } = await serve({ composer, logger: log })
    const { url, ...rest } = await uploadThrough(`${origin}/files/`, fault)
    expectResumed(url, rest)
    expect(log.lines.some(({ fields }) => fields.code === 'ERR_STORAGE_UNAVAILABLE')).toBe(true)
    expect(digest(await readFile(join(directory, url.split('/').at(-1)!)))).toBe(digest(data))
  },
)

const calls = 'oldpwstmru'
const everything = [
  ['the data', '/data/'],
  ['the records', '.info'],
  ['the locks', '/.locks'],
  ['everything', '/'],
] as const
const errors = [
  ['EIO', calls],
  ['ESTALE', calls],
  // Calls that need a descriptor are the only ones that fail.
  ['EMFILE', 'od'],
  ['ENFILE', 'od'],
] as const

describe.each(errors)('tus-js-client resumes while the system reports %s', (error, calls) => {
  beforeAll(() => ensureProgram('gcc', 'gcc libc6-dev'))

  test.each(everything)('for %s', async (_, paths) => {
    const disk = await Disk.mount(await temporaryDirectory())
    onTestFinished(() => disk.close())
    const { directory } = disk
    const { origin } = await startServer(
      { directory, locate: 'data/{id}', lease: 1_000, quiet: true },
      disk.environment,
    )
    const { url, codes, ...rest } = await uploadThrough(`${origin}/files/`, {
      async begin() {
        // Otherwise no call opens it, because its content is in memory.
        const now = new Date()
        await utimes(await found(directory, record)(), now, now)
        await disk.break({ calls, every: 1, paths, error })
      },
      end: () => disk.heal(),
    })
    expectResumed(url, rest)
    expect([...codes]).toEqual(['ERR_STORAGE_UNAVAILABLE'])
    const stored = await readFile(join(directory, 'data', url.split('/').at(-1)!))
    expect(digest(stored)).toBe(digest(data))
  })
})

test.each([
  ['a store', 'dataStore'],
  ['an info store', 'infoStore'],
  ['a locker', 'locker'],
] as const)('tus-js-client resumes after the server behind %s was down', async (_, slot) => {
  const composer = memoryComposer()
  let down = false
  /** A fake: every call fails as if the server behind the part refused connections. */
  const failing = <T extends object>(part: T): T =>
    new Proxy(part, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (down) return Promise.reject(new Error('connect ECONNREFUSED'))
          return Reflect.apply(value, target, args) as unknown
        }
      },
    })
  const { dataStore, infoStore } = composer.slots()
  if (slot === 'dataStore') composer.useDataStore(storeWith(failing(dataStore!), {}))
  if (slot === 'infoStore') composer.useInfoStore(failing(infoStore!))
  if (slot === 'locker') {
    composer.useLocker(failing(new FileLocker({ directory: await temporaryDirectory() })))
  }
  const { origin } = await serve({ composer, logger: keptLog() })
  const { url, urls, replies } = await uploadThrough(`${origin}/files/`, {
    begin: async () => (down = true),
    end: async () => (down = false),
  })
  expect(replies.filter((reply) => reply.startsWith('POST'))).toEqual(['POST 201'])
  expect([...urls]).toEqual([url])
  expect(digest(Buffer.from(await (await fetch(url)).arrayBuffer()))).toBe(digest(data))
})
