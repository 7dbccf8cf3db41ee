import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import * as tusJsClient from 'tus-js-client'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { FtpServer } from '../../examples/ftp-store/ftp-server.mjs'
import { FtpStore } from '../../examples/ftp-store/ftp-store.mjs'
import { ensureProgram } from '../house/debian-packages.mjs'
import { memoryComposer, serve } from '../support/serve.js'
import { keptLog } from '../support/stages.js'

const data = randomBytes(12_000_001)
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

beforeAll(() => ensureProgram('proftpd', 'proftpd-core'))

/** Faults of the FTP server, how long they last, and the timeout of the store. */
const faults = [
  {
    name: 'is killed and starts again after 3 s',
    begin: (ftp: FtpServer) => ftp.kill(),
    end: (ftp: FtpServer) => ftp.restart(),
    duration: 3_000,
    timeout: 30_000,
  },
  {
    name: 'is suspended for 20 s',
    begin: (ftp: FtpServer) => ftp.suspend(),
    end: (ftp: FtpServer) => ftp.resume(),
    duration: 20_000,
    timeout: 30_000,
  },
  {
    name: 'is suspended for 20 s, and the store gives its connections up earlier',
    begin: (ftp: FtpServer) => ftp.suspend(),
    end: (ftp: FtpServer) => ftp.resume(),
    duration: 20_000,
    timeout: 3_000,
  },
] as const

test.each(faults)('tus-js-client resumes when the FTP server $name', async (fault) => {
  const ftp = await FtpServer.start()
  onTestFinished(() => ftp.stop())
  await ftp.createFolder('uploads')
  const { port, user, password } = ftp
  const { timeout } = fault
  const store = new FtpStore({
    host: '127.0.0.1',
    port,
    user,
    password,
    folder: 'uploads',
    timeout,
  })
  await store.initialize()
  const { origin } = await serve({ composer: memoryComposer().use(store), logger: keptLog() })

  const posts: string[] = []
  const urls = new Set<string>()
  let ended: Promise<unknown> | undefined
  let isOver = false
  const url = await new Promise<string>((resolve, reject) => {
    const client = new tusJsClient.Upload(data as never, {
      endpoint: `${origin}/files/`,
      chunkSize: 5_000_000,
      retryDelays: Array<number>(500).fill(100),
      onBeforeRequest(request) {
        if (request.getMethod() !== 'POST') urls.add(request.getURL())
      },
      onAfterResponse(request, response) {
        if (request.getMethod() === 'POST') posts.push(`POST ${response.getStatus()}`)
      },
      // In the middle of a transfer to the FTP server.
      onChunkComplete(_size, offset) {
        if (offset < 5_000_000) return
        ended ??= (async () => {
          await setTimeout(20)
          await fault.begin(ftp)
          await setTimeout(fault.duration)
          await fault.end(ftp)
          isOver = true
        })()
      },
      onSuccess: () => resolve(client.url!),
      onError: reject,
    })
    client.start()
  })
  expect(isOver, 'The upload goes through the fault').toBe(true)
  await ended
  expect(posts).toEqual(['POST 201'])
  expect([...urls]).toEqual([url])
  const stored = await readFile(join(ftp.folder, 'uploads', url.split('/').at(-1)!))
  expect(digest(stored)).toBe(digest(data))
  expect(digest(Buffer.from(await (await fetch(url)).arrayBuffer()))).toBe(digest(data))
})
