import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { ClientRequest, IncomingMessage, InformationEvent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientAt, testSite, type Client } from '../frameworks/uploads-suite.js'
import { runtime } from '../house/runtime.js'
import { chunk, until } from '../support/serve.js'

const program = fileURLToPath(new URL('../programs/runtime-server.mjs', import.meta.url))

/** The permissions that Deno needs according to docs/getting-started.md. */
const permissions = ['net', 'read', 'write']

describe.each([
  ['bun', '1.4.5', ['run']],
  ['deno', '2.9.6', ['run', ...permissions.map((name) => `--allow-${name}`)]],
] as const)('on %s %s', (name, version, args) => {
  let path: string
  let directory: string
  let client: Client
  let server: ChildProcess | undefined

  const start = async () => {
    server = spawn(path, [...args, program, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, DENO_DIR: join(directory, '.deno'), DENO_NO_UPDATE_CHECK: '1' },
    })
    const [line] = (await once(server.stdout!, 'data')) as [Buffer]
    client = clientAt(line.toString().trim())
  }
  const kill = async (signal: NodeJS.Signals) => {
    const exited = once(server!, 'exit')
    server!.kill(signal)
    return exited
  }

  beforeAll(async () => {
    path = await runtime(name, version)
    directory = await mkdtemp(join(tmpdir(), `tuskit-${name}-`))
    await start()
  })

  afterAll(async () => {
    if (server) await kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  })

  testSite({
    framework: 'FileStore and FileLocker',
    basePath: '/files',
    notFound: /ERR_/,
    connect: () => client,
  })

  /** Sends `hello ` of 11 bytes and waits until it is stored. */
  async function hang(): Promise<{ readonly url: string; readonly request: ClientRequest }> {
    const url = await client.create('/files', { 'upload-length': 11 })
    const headers = { ...chunk, 'upload-offset': 0, 'content-length': 11 }
    const request = client.open('PATCH', url, headers).on('error', () => {})
    request.write('hello ')
    await until(
      () => offsetOf(url),
      (offset) => offset === '6',
    )
    return { url, request }
  }

  async function offsetOf(url: string) {
    return (await client.send('HEAD', url)).headers['upload-offset']
  }

  async function resume(url: string): Promise<void> {
    await until(
      () => client.patch(url, 6, Buffer.from('world')),
      ({ status }) => status === 204,
    )
    expect((await client.send('GET', url, {})).body.toString()).toBe('hello world')
  }

  test('a client resumes while its old connection hangs', async () => {
    const { url, request } = await hang()
    await resume(url)
    request.destroy()
  })

  test('a checksum in a trailer is verified', async () => {
    const url = await client.create('/files', { 'upload-length': 5 })
    const sent = async (content: string) => {
      const digest = createHash('sha1').update(content).digest('base64')
      const headers = { ...chunk, 'upload-offset': 0, trailer: 'Upload-Checksum' }
      const request = client.open('PATCH', url, headers)
      request.addTrailers({ 'Upload-Checksum': `sha1 ${digest}` })
      request.end('hello')
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      await text(response)
      return response.statusCode
    }
    expect([await sent('other'), await offsetOf(url), await sent('hello')]).toEqual([460, '0', 204])
  })

  test('a draft client gets the URL for resuming in a 104', async () => {
    const request = client.open('POST', '/files', {
      'upload-complete': '?1',
      'upload-draft-interop-version': '8',
      'content-length': 11,
    })
    request.write('hello ')
    const [interim] = (await once(request, 'information')) as [InformationEvent]
    expect([interim.statusCode, interim.headers.location]).toEqual([
      104,
      expect.stringMatching(/^\/files\/\w+$/),
    ])
    request.end('world')
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    expect(response.statusCode).toBe(201)
  })

  test('an upload to a killed server continues from the stored bytes', async () => {
    const { url } = await hang()
    await kill('SIGKILL')
    await start()
    await resume(url)
  })

  test('a server that is stopped stores the bytes that arrived, and exits', async () => {
    const { url, request } = await hang()
    const [exited, [response]] = await Promise.all([
      kill('SIGTERM'),
      once(request, 'response') as Promise<[IncomingMessage]>,
    ])
    expect(await text(response)).toContain('ERR_SERVER_SHUTDOWN')
    expect([response.statusCode, response.headers['upload-offset']]).toEqual([503, '6'])
    expect(exited).toEqual([0, null])
    await start()
    await resume(url)
  })
})
