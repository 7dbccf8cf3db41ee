import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connect } from 'amqplib'
import { chromium } from 'playwright-core'
import { build } from 'tsup'
import * as tusJsClient from 'tus-js-client'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { RabbitMq } from '../../packages/amqp-hooks/services.js'
import { startProgram } from '../../packages/server/test/program.js'
import { ensureProgram } from '../house/debian-packages.mjs'
import { nginx } from '../proxies/nginx.js'
import { replaceAll } from '../proxies/proxy.js'
import { startProxy } from '../proxies/start-proxy.js'
import { notedCalls, writeNoting } from '../support/hook-program.js'
import { HookServer } from '../support/hook-server.js'
import { temporaryDirectory, until } from '../support/serve.js'

const run = promisify(execFile)

const data = randomBytes(3_500_001)
const digest = createHash('sha256').update(data).digest('hex')

let broker: RabbitMq

beforeAll(async () => {
  ensureProgram('chromium')
  ensureProgram('curl')
  broker = await RabbitMq.start()
})

afterAll(() => broker?.stop())

/** A client, which uploads a file to an origin and returns the URL of the upload. */
type Client = (origin: string, file: string, folder: string) => Promise<string>

const clients: Readonly<Record<string, Client>> = {
  'tus-js-client': (origin, file) =>
    new Promise((resolve, reject) => {
      const upload = new tusJsClient.Upload(data, {
        endpoint: `${origin}/files/`,
        chunkSize: 1_000_000,
        metadata: { filename: file },
        onSuccess: () => resolve(upload.url!),
        onError: reject,
      })
      upload.start()
    }),

  async Uppy(origin, file) {
    const own = process.env.CHROMIUM
    const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run']
    const browser = await chromium.launch({ executablePath: own ?? '/usr/bin/chromium', args })
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    await page.goto(`${origin}/uppy.html`)
    await page.locator('input').setInputFiles(file)
    return until(
      () => page.locator('output').innerText(),
      (text) => text !== '',
    )
  },

  async curl(origin, file) {
    const curl = async (...args: readonly string[]) => (await run('curl', ['-sSf', ...args])).stdout
    const tus = ['-H', 'Tus-Resumable: 1.0.0']
    const length = ['-H', `Upload-Length: ${data.length}`]
    const created = await curl('-D', '-', '-X', 'POST', ...tus, ...length, `${origin}/files/`)
    const [, location] = /^location: (\S+)/im.exec(created)!
    const type = ['-H', 'Content-Type: application/offset+octet-stream', '-H', 'Upload-Offset: 0']
    const url = new URL(location!, origin).href
    await curl('-X', 'PATCH', ...tus, ...type, '--data-binary', `@${file}`, url)
    return url
  },
}

test.each(Object.keys(clients))('%s uploads through nginx while all hooks listen', async (name) => {
  const folder = await temporaryDirectory()
  const log = join(folder, 'calls')
  const events = ['pre-create', 'post-create', 'pre-finish', 'post-finish']
  for (const event of events) await writeNoting(join(folder, 'hooks', event), log)
  const hookServer = await HookServer.start()
  const messages = await queueOf(await broker.createHost())

  const { url, log: serverLog } = await startProgram(
    [
      ...['--hooks-dir', './hooks', '--hooks-http', hookServer.url],
      ...['--hooks-url', `${messages.url}?queue=uploads`, '--hooks-outbox', './outbox'],
      ...['--hooks-events', events.join(), '--behind-proxy', '127.0.0.1'],
    ],
    { cwd: folder },
  )
  const site = await pageWithUppy()
  const pages = `location /uppy { root ${site}; }`
  const { http: origin } = await startProxy(nginx, Number(new URL(url).port), (text) =>
    replaceAll(text, [['  location / {', `${pages}\n  location / {`]]),
  )
  const file = join(folder, 'holiday.bin')
  await writeFile(file, data)

  const upload = await clients[name]!(origin, file, folder)
  expect(upload).toMatch(new RegExp(`^${origin}/files/[0-9a-f]{32}$`))
  const id = upload.split('/').at(-1)!
  const stored = await readFile(join(folder, 'data', id))
  expect(createHash('sha256').update(stored).digest('hex')).toBe(digest)

  const finished = (seen: readonly string[]) => seen.includes('post-finish')
  const programs = async () => notedCalls(log).map(({ program }) => program.split('/').at(-1)!)
  expectOrder(await until(programs, finished))
  expectOrder(await until(async () => hookServer.events, finished))
  expect(await until(messages.events, finished)).toEqual(['post-create', 'post-finish'])
  expect(serverLog()).not.toContain('"level":"error"')
})

/** Decisions do not wait for the events in the outbox, so post-create may come after pre-finish. */
function expectOrder(seen: readonly string[]): void {
  const decisions = seen.filter((event) => event !== 'post-create')
  expect(decisions).toEqual(['pre-create', 'pre-finish', 'post-finish'])
  expect(seen.filter((event) => event.startsWith('post-'))).toEqual(['post-create', 'post-finish'])
}

/** Declares a queue, and returns the events of the messages that come into it. */
async function queueOf(url: string) {
  const connection = await connect(url)
  onTestFinished(() => connection.close())
  const channel = await connection.createChannel()
  await channel.assertQueue('uploads', { durable: true })
  const types: string[] = []
  await channel.consume('uploads', (message) => void types.push(message!.properties.type as string))
  return { url, events: async () => types }
}

/** Makes a page with Uppy, and returns its folder. */
async function pageWithUppy(): Promise<string> {
  const folder = await temporaryDirectory()
  // nginx runs as another user.
  await chmod(folder, 0o755)
  await build({
    entry: { uppy: 'test/interop/pages/uppy.mjs' },
    outDir: folder,
    format: 'iife',
    platform: 'browser',
    noExternal: [/./],
    config: false,
    silent: true,
  })
  const html =
    '<!doctype html><input type="file" /><output></output><script src="uppy.global.js"></script>'
  await writeFile(join(folder, 'uppy.html'), html)
  return folder
}
