import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { HandlerOptions } from 'tuskit'
import { FileLocker } from 'tuskit/file-store'
import { fileComposer, idOf, serve, temporaryDirectory } from '../support/serve.js'
import {
  goClient,
  javaClient,
  pythonClient,
  type ClientProgram,
} from './clients/client-programs.js'
import { cuttingProxy } from './cutting-proxy.js'
import { exchangeRecorder, type Exchange } from './exchange-recorder.js'

const length = 50_000_000
/** Each connection breaks after that many bytes. */
const limit = 7_000_000
/** As many cuts as there are if every byte that passes is kept. */
const cuts = 7

const clients = [
  { client: 'tuspy', prepare: () => pythonClient('upload_with_tuspy.py') },
  { client: 'tus-java-client', prepare: javaClient },
  { client: 'net/http of Go', prepare: goClient },
]

describe.each(clients)('$client', ({ prepare }) => {
  test('resumes at once after each cut', async () => {
    const site = await siteThatCuts()
    await expectUploaded(site, await run(await prepare(), site, '99'))
  })

  test('resumes at once in a new process after each cut', async () => {
    const program = await prepare()
    const site = await siteThatCuts()
    for (let cut = 0; cut < cuts; cut++) {
      const events = await run(program, site, '0')
      expect(events.map(({ event }) => event)).toEqual(['started', 'interrupted'])
      expect(events[0]!.offset).toBe(lastOffset(site))
    }
    await expectUploaded(site, await run(program, site, '0'))
  })
})

describe('aiotus', () => {
  const prepare = () => pythonClient('upload_with_aiotus.py')

  test("resumes at once after each cut, with `location: 'absolute'`", async () => {
    const site = await siteThatCuts({ location: 'absolute' })
    const events = await run(await prepare(), site, '99')
    expect(events.filter(({ event }) => event === 'interrupted')).toHaveLength(cuts)
    await expectUploaded(site, events)
  })

  test('does not accept a path as Location', async () => {
    const site = await siteThatCuts()
    const [{ event, error }] = (await run(await prepare(), site, '99')) as [Event]
    expect(event).toBe('interrupted')
    expect(error).toContain("Appending path '/files/")
    expect(summary(site)).toBe('POST 201')
  })
})

interface Site {
  readonly endpoint: string
  /** The file to upload. */
  readonly source: string
  /** The file in which the client remembers URLs. */
  readonly urls: string
  readonly exchanges: readonly Exchange[]
  /** Returns the path of the stored bytes of an upload. */
  stored(url: string): string
}

/**
 * Starts a server whose connections break. Every other time, the server does not notice, so that
 * the client resumes while its old request still holds the upload.
 */
async function siteThatCuts(options: Pick<HandlerOptions, 'location'> = {}): Promise<Site> {
  const { port, stored } = await startServer(options)
  const limits = Array<number>(100).fill(limit)
  const cutting = await cuttingProxy(port, limits, undefined, (cut) => cut % 2 === 1)
  const recorder = await exchangeRecorder(cutting)
  const directory = await temporaryDirectory()
  const source = join(directory, 'source')
  await writeFile(source, randomBytes(length))
  const endpoint = `http://127.0.0.1:${recorder.port}/files/`
  return { endpoint, source, urls: join(directory, 'urls'), exchanges: recorder.exchanges, stored }
}

/** Starts the server that is tested. */
async function startServer(
  options: Pick<HandlerOptions, 'location'>,
): Promise<Pick<Site, 'stored'> & { readonly port: number }> {
  const directory = await temporaryDirectory()
  const composer = fileComposer(directory).use(new FileLocker({ directory }))
  const { port } = await serve({ composer, ...options })
  return { port, stored: (url) => join(directory, idOf(url)) }
}

/** An event that a program prints. */
interface Event {
  readonly event: 'started' | 'interrupted' | 'uploaded'
  readonly offset?: number
  readonly url?: string
  readonly error?: string
}

/** Runs a program, which retries that often. Returns its events. */
async function run(program: ClientProgram, site: Site, retries: string): Promise<Event[]> {
  const [command, ...first] = program.command
  const child = spawn(command, [...first, site.endpoint, site.source, site.urls, retries], {
    env: { ...process.env, ...program.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill())
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')])
  const events = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Event)
  expect(child.exitCode).toBe(events.at(-1)!.event === 'uploaded' ? 0 : 1)
  return events
}

async function expectUploaded(site: Site, events: readonly Event[]): Promise<void> {
  const { exchanges } = site
  expect(exchanges.filter(({ status }) => status === undefined)).toHaveLength(cuts)
  expect(summary(site)).toMatch(
    /^POST 201(, HEAD 200|, PATCH 204|, PATCH cut, HEAD 200(?=, PATCH))+$/,
  )
  // Each PATCH begins at the offset that the server reported last, which never falls.
  let offset = 0
  for (const exchange of exchanges.slice(1)) {
    if (exchange.method === 'PATCH') expect(exchange.from).toBe(offset)
    if (exchange.status === undefined) continue
    expect(exchange.offset).toBeGreaterThanOrEqual(offset)
    offset = exchange.offset!
  }
  expect(offset).toBe(length)

  const { event, url } = events.at(-1)!
  expect(event).toBe('uploaded')
  expect(await digestOf(site.stored(url!))).toBe(await digestOf(site.source))
}

function summary({ exchanges }: Site): string {
  return exchanges.map(({ method, status }) => `${method} ${status ?? 'cut'}`).join(', ')
}

/** Returns the offset that a client received last. */
function lastOffset({ exchanges }: Site): number {
  return exchanges.findLast(({ offset }) => offset !== undefined)?.offset ?? 0
}

async function digestOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
