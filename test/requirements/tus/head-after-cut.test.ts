import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { StoreComposer, type AppendOptions, type Stat, type Upload, type UploadBody } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { startServer } from '../../support/server-process.js'
import {
  createUpload,
  fileComposer,
  head,
  idOf,
  openPatch,
  patch,
  serve,
  temporaryDirectory,
  until,
  untilOffset,
} from '../../support/serve.js'
import { download } from '../../support/stages.js'
import { Random } from '../../torture/random.js'

const data = randomBytes(4_194_304)
const length = { 'upload-length': String(data.length) }
// Long enough that a slow machine does not decide the result.
const patient = { settleTimeout: 10_000, takeoverAfter: 60_000 }

/** Keeps the processors busy until the test ends. */
function makeLoad(): void {
  for (let busy = 0; busy < 3; busy++) {
    const child = spawn(process.execPath, ['-e', 'for (;;);'])
    onTestFinished(() => void child.kill('SIGKILL'))
  }
}

/** A body that has arrived. */
function bodyOf(batches: readonly (readonly Buffer[])[]): UploadBody {
  const readable = () => Readable.from(batches.flat())
  async function* each() {
    yield* batches
  }
  return { size: undefined, readable, [Symbol.asyncIterator]: each }
}

type Cut = readonly [name: string, cut: (socket: Socket) => void]

const cuts: readonly Cut[] = [
  ['closed', (socket) => socket.destroy()],
  ['ended half-way', (socket) => socket.end()],
  ['reset', (socket) => socket.resetAndDestroy()],
]

/** Sends the first bytes of a PATCH, then cuts the connection and resumes at once. */
async function cutAndResume(
  url: string,
  resumeUrl: string,
  bytes: number,
  cut: Cut[1],
  begun: () => Promise<unknown> = async () => {},
) {
  const { request } = openPatch(url, 0, { 'content-length': String(data.length) })
  request.on('error', () => {})
  await new Promise((resolve) => request.write(data.subarray(0, 50_000), resolve))
  await begun()
  await new Promise((resolve) => request.write(data.subarray(50_000, bytes), resolve))
  cut(request.socket!)
  const { headers } = await head(resumeUrl)
  const offset = Number(headers['upload-offset'])
  const { status } = await patch(resumeUrl, offset, data.subarray(offset))
  return { offset, status }
}

test.each(cuts)(
  'T-040 the offset that HEAD reports right after a connection was %s is good for the next PATCH',
  async (name, cut) => {
    makeLoad()
    const random = new Random('head after cut', name)
    const site = await serve({ composer: fileComposer(await temporaryDirectory()), ...patient })
    for (let round = 0; round < (name === 'closed' ? 100 : 20); round++) {
      const bytes = random.integer(100_000, data.length - 1)
      const url = await createUpload(site, length)
      const resumed = await cutAndResume(url, url, bytes, cut)
      expect(resumed, `round ${round}, cut after ${bytes} bytes`).toMatchObject({ status: 204 })
      expect((await download(url)).equals(data)).toBe(true)
    }
  },
)

test('T-040 the offset that another process reports is good for the next PATCH too', async () => {
  makeLoad()
  const random = new Random('head after cut', 'two processes')
  const directory = await temporaryDirectory()
  const all = { directory, lease: 60_000, ...patient }
  const [one, two] = await Promise.all([startServer(all), startServer(all)])
  for (let round = 0; round < 20; round++) {
    const bytes = random.integer(100_000, data.length - 1)
    const url = await createUpload(one, length)
    const file = join(directory, idOf(url))
    // Otherwise HEAD may arrive before the other process has read the head of the PATCH.
    const begun = () =>
      until(
        () => stat(file),
        ({ size }) => size > 0,
      )
    const there = url.replace(one.origin, two.origin)
    const resumed = await cutAndResume(url, there, bytes, cuts[0]![1], begun)
    expect(resumed, `round ${round}, cut after ${bytes} bytes`).toMatchObject({ status: 204 })
    expect((await download(url)).equals(data)).toBe(true)
  }
})

test('T-040 HEAD gets its response as soon as the next byte shows that the client is alive', async () => {
  const site = await serve({ settleTimeout: 600_000, takeoverAfter: 600_000 })
  const url = await createUpload(site, { 'upload-length': '1000000' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '1000000' })
  const sending = setInterval(() => request.write('hello'), 200)
  const { status, headers } = await head(url)
  clearInterval(sending)
  expect(status).toBe(200)
  expect(Number(headers['upload-offset'])).toBeGreaterThan(0)
  request.destroy()
  await expect(reply).rejects.toThrow()
})

test('T-040 bytes that the store holds back are stored before HEAD reports the offset', async () => {
  let onBytes!: () => void
  const arrived = new Promise<void>((resolve) => (onBytes = resolve))
  class HoldingStore extends MemoryStore {
    override async append(upload: Upload, from: Stat, body: UploadBody, options: AppendOptions) {
      const batches: (readonly Buffer[])[] = []
      for await (const batch of body) {
        batches.push(batch)
        onBytes()
      }
      return super.append(upload, from, bodyOf(batches), options)
    }
  }
  const composer = new StoreComposer().use(new HoldingStore(), new MemoryInfoStore())
  const site = await serve({ composer, takeoverAfter: 500 })
  const url = await createUpload(site)
  const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
  const ended = expect(reply).rejects.toThrow()
  request.write('hello')
  await arrived
  expect((await head(url)).headers['upload-offset']).toBe('5')
  expect(await patch(url, 5, ' world')).toMatchObject({ status: 204 })
  await ended
})

test('T-040 HEAD waits settleTimeout for a silent client, and does not interrupt it', async () => {
  const site = await serve({ settleTimeout: 50, takeoverAfter: 600_000 })
  const url = await createUpload(site)
  const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
  request.write('hello')
  await untilOffset(url, 5)
  request.end(' world')
  expect((await reply).status).toBe(204)
})
