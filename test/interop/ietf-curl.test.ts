import { spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { createHandler, type HandlerOptions, type Inspection } from 'tuskit'
import { ensureProgram } from '../house/debian-packages.mjs'
import { fileComposer, serve, temporaryDirectory, until, type Site } from '../support/serve.js'
import { serveHttp2 } from '../support/serve-http2.js'
import { cuttingProxy } from './cutting-proxy.js'

const data = randomBytes(5_000_001)

/** The headers of the draft for an upload in one request. */
const whole = ['Upload-Complete: ?1', 'Upload-Draft-Interop-Version: 8']

const partialUpload = 'Content-Type: application/partial-upload'

beforeAll(() => ensureProgram('curl'))

let directory: string
/** A directory with a file of the data, named `source`. */
let source: string
let site: Site

beforeEach(async () => {
  directory = await temporaryDirectory()
  source = join(await temporaryDirectory(), 'source')
  await writeFile(source, data)
  site = await serveWith({ interimResponses: true })
})

test('R-040 an upload gets a 104 with the location first, and the same response as without it', async () => {
  const { responses, code } = await curl(site.port, [...headers(whole), '--upload-file', source])
  expect(code).toBe(0)
  const first = responses[0]!
  expect(first.status).toBe(104)
  expect(first.headers).toMatchObject({
    'upload-draft-interop-version': '8',
    'upload-limit': 'min-size=0',
  })
  const last = responses.at(-1)!
  expect(last.status).toBe(201)
  expect(last.headers).toMatchObject({ 'upload-complete': '?1', location: first.headers.location })
  expect(responses.slice(0, -1).every(({ status }) => status === 104 || status === 100)).toBe(true)
  await expectFinished(last.headers.location!)
})

test.each(['3', '4', '5', '6', '7', '8', '9'])(
  'R-041 the 104 returns interop version %s, and curl accepts it',
  async (version) => {
    const complete = version === '3' ? 'Upload-Incomplete: ?0' : 'Upload-Complete: ?1'
    const named = `Upload-Draft-Interop-Version: ${version}`
    const sent = [...headers([complete, named]), '--upload-file', source]
    const { responses, code } = await curl(site.port, sent)
    expect(code).toBe(0)
    const { status, headers: first } = responses[0]!
    expect([status, first['upload-draft-interop-version']]).toEqual([104, version])
    await expectFinished(first.location!)
  },
)

test('R-045 Expect: 100-continue, which curl sends by default, gets a 100 in addition to the 104', async () => {
  // Without the 100, curl would wait this long.
  const patient = ['--expect100-timeout', '600']
  const sent = [...headers(whole), ...patient, '--upload-file', source]
  const { responses, code, stderr } = await curl(site.port, ['-v', ...sent])
  expect(code).toBe(0)
  expect(stderr).toContain('> Expect: 100-continue')
  const statuses = responses.map(({ status }) => status)
  expect(statuses.slice(0, 2).sort((a, b) => a! - b!)).toEqual([100, 104])
  expect(statuses.at(-1)).toBe(201)
  await expectFinished(responses.at(-1)!.headers.location!)
})

test('R-045 a refusal while curl waits for the 100 makes it send no body', async () => {
  site = await serveWith({ interimResponses: true, maxSize: 1_000 })
  const patient = ['--expect100-timeout', '600']
  const sent = [...headers(whole), ...patient, '--upload-file', source]
  const { responses, stderr } = await curl(site.port, ['-w', '%{stderr}%{size_upload}', ...sent])
  expect(responses.map(({ status }) => status)).toEqual([413])
  expect(responses[0]!.headers['upload-limit']).toBe('max-size=1000')
  expect(stderr).toBe('0')
})

test('R-042 an upload without a version works, and gets no 104', async () => {
  const sent = [...headers(['Upload-Complete: ?1']), '--upload-file', source]
  const { responses, code } = await curl(site.port, sent)
  expect(code).toBe(0)
  expect(responses.map(({ status }) => status)).toEqual([100, 201])
  await expectFinished(responses[1]!.headers.location!)
})

test('R-049 an upload works without interim responses', async () => {
  site = await serveWith({})
  const { responses, code } = await curl(site.port, [...headers(whole), '--upload-file', source])
  expect(code).toBe(0)
  expect(responses.map(({ status }) => status)).toEqual([100, 201])
  await expectFinished(responses[1]!.headers.location!)
})

test('R-048 curl accepts all 104s that report progress', async () => {
  site = await serveWith({ interimResponses: true, progressInterval: 1 })
  await writeFile(source, Buffer.concat(Array<Buffer>(20).fill(data)))
  const { responses, code } = await curl(site.port, [...headers(whole), '--upload-file', source])
  expect(code).toBe(0)
  const interim = responses.filter(({ status }) => status === 104).slice(1)
  const offsets = interim.map(({ headers: { 'upload-offset': offset } }) => Number(offset))
  expect(offsets).toEqual([...offsets].sort((a, b) => a - b))
  expect(interim.length).toBeLessThanOrEqual((await stat(source)).size / 1_048_576)
  expect(responses.at(-1)!.status).toBe(201)
})

const resumptions = [
  {
    how: 'from a pipe, chunked',
    rest: (from: number) => `tail -c +${from + 1} source | curl "$@" -X PATCH -T -`,
  },
  {
    how: 'from a file, with Content-Length',
    rest: (from: number) => `tail -c +${from + 1} source > rest; curl "$@" -X PATCH -T rest`,
  },
  {
    how: 'from memory, with Content-Length',
    rest: (from: number) => `tail -c +${from + 1} source | curl "$@" -X PATCH --data-binary @-`,
  },
]

test.each(resumptions)(
  'R-050 R-060 after a broken connection, -I returns the offset, and curl sends the rest $how',
  async ({ rest }) => {
    const through = await cuttingProxy(site.port, [2_000_000])
    // curl sends the body only after the 100, which comes after the 104.
    const patient = ['--expect100-timeout', '600']
    const sent = [...headers(whole), ...patient, '--upload-file', source]
    const { responses, code } = await curl(through, sent)
    expect(code).not.toBe(0)
    expect(responses.map(({ status }) => status)).not.toContain(201)
    const { location } = responses[0]!.headers
    const offset = await offsetOf(location!)
    // Everything that arrived, except for the head of the request.
    expect(offset > 1_990_000 && offset < 2_000_000).toBe(true)

    const { responses: resumed } = await sendRest(location!, offset, rest(offset))
    expect(resumed.at(-1)).toMatchObject({
      status: 201,
      headers: { 'upload-complete': '?1', location },
    })
    await expectFinished(location!)
  },
)

test('R-029 the server keeps what a killed curl has sent, and the upload is incomplete', async () => {
  site = await serveWith({ generateId: () => 'known' })
  const sent = [...headers([...whole, 'Upload-Length: 5000001']), '-T', '-']
  const { child } = start(site.port, sent)
  child.stdin!.write(data.subarray(0, 1_234_567))
  await until(inspect, ({ offset }) => offset === 1_234_567)
  child.kill('SIGKILL')
  await once(child, 'close')

  const url = '/files/known'
  expect(await offsetOf(url)).toBe(1_234_567)
  expect((await inspect()).finished).toBe(false)
  const { responses } = await sendRest(url, 1_234_567, resumptions[0]!.rest(1_234_567))
  expect(responses.at(-1)!.status).toBe(201)
  await expectFinished(url)

  async function inspect(): Promise<Pick<Inspection, 'offset' | 'finished'>> {
    // Until the creation arrives, the directory is empty.
    const none = { offset: undefined, finished: false }
    return site.handler.uploads.inspect('known').catch(() => none)
  }
})

test('R-101 curl -I ends another curl that sends, and the upload continues', async () => {
  site = await serveWith({ generateId: () => 'known', interimResponses: true })
  const { child, result } = start(site.port, [...headers(whole), '-T', '-'])
  child.stdin!.on('error', () => {})
  child.stdin!.write(data.subarray(0, 1_000_000))
  const { uploads } = site.handler
  const url = '/files/known'
  await until(
    async () => (await uploads.inspect('known').catch(() => ({ offset: undefined }))).offset,
    (offset) => offset === 1_000_000,
  )
  expect(await offsetOf(url)).toBe(1_000_000)
  child.stdin!.write(data.subarray(1_000_000, 1_500_000))
  expect((await result).code).not.toBe(0)
  expect(await offsetOf(url)).toBe(1_000_000)
  await sendRest(url, 1_000_000, resumptions[1]!.rest(1_000_000))
  await expectFinished(url)
})

test('an empty creation, pieces and the end work without any 104', async () => {
  site = await serveWith({})
  const created = await curl(site.port, [...headers(['Upload-Complete: ?0']), '-X', 'POST'])
  expect(created.responses[0]).toMatchObject({ status: 201, headers: { 'upload-complete': '?0' } })
  const { location } = created.responses[0]!.headers
  for (const [from, to, complete, status] of [
    [0, 2_000_000, '?0', 204],
    [2_000_000, data.length, '?1', 201],
  ] as const) {
    const piece = join(await temporaryDirectory(), 'piece')
    await writeFile(piece, data.subarray(from, to))
    const fields = headers([
      partialUpload,
      `Upload-Offset: ${from}`,
      `Upload-Complete: ${complete}`,
    ])
    const sent = [...fields, '-X', 'PATCH', '--data-binary', `@${piece}`]
    const { responses } = await curl(site.port, sent, location)
    expect(responses.at(-1)).toMatchObject({ status, headers: { 'upload-complete': complete } })
  }
  await expectFinished(location!)
})

test('R-040 over HTTP/2 with TLS the 104 arrives, too, and curl resumes a broken upload', async () => {
  const handler = createHandler({
    ...{ basePath: '/files', composer: fileComposer(directory), interimResponses: true },
  })
  const listener = handler as unknown as Parameters<typeof serveHttp2>[0]
  const { port, server } = await serveHttp2(listener, true)
  Object.assign(server, { requestTimeout: 0 })
  const secure = ['--insecure', '--http2']
  // The connection breaks only after curl has received the 104.
  const located = () => until(async () => heard, Boolean)
  const through = await cuttingProxy(port, [2_000_000], located)
  let heard = false
  const sent = [...common, ...secure, '-v', ...headers(whole), '--upload-file', source]
  const { child, result } = run('curl', [...sent, `https://127.0.0.1:${through}/files`])
  child.stderr!.on('data', (piece) => (heard ||= String(piece).includes('HTTP/2 104')))
  const { responses, code } = await result
  expect(code).not.toBe(0)
  const { status, headers: first } = responses[0]!
  expect([status, first['upload-draft-interop-version']]).toEqual([104, '8'])

  const url = `https://127.0.0.1:${port}${first.location}`
  const head = await run('curl', [...common, ...secure, '-I', url]).result
  const offset = Number(head.responses[0]!.headers['upload-offset'])
  expect(offset > 1_900_000 && offset < 2_000_000).toBe(true)
  const rest = join(await temporaryDirectory(), 'rest')
  await writeFile(rest, data.subarray(offset))
  const fields = [partialUpload, `Upload-Offset: ${offset}`, ...whole]
  const appending = [...common, ...secure, ...headers(fields), '-X', 'PATCH', '-T', rest, url]
  const resumed = await run('curl', appending).result
  expect(resumed.responses.at(-1)!.status).toBe(201)
  expect(digest(await readFile(join(directory, first.location!.split('/').at(-1)!)))).toBe(
    digest(data),
  )
})

test('R-080 curl -X DELETE cancels an upload', async () => {
  const created = await curl(site.port, [...headers(['Upload-Complete: ?0']), '-X', 'POST'])
  const { location } = created.responses[0]!.headers
  const removed = await curl(site.port, ['-X', 'DELETE'], location)
  expect(removed.responses.map(({ status }) => status)).toEqual([204])
  const after = await curl(site.port, ['-I'], location)
  expect(after.responses[0]!.status).toBeOneOf([404, 410])
})

interface Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

interface Run {
  readonly code: number | null
  /** All responses in order, including interim ones. */
  readonly responses: readonly Response[]
  readonly stderr: string
}

async function serveWith(options: Partial<HandlerOptions>): Promise<Site> {
  return serve({ composer: fileComposer(directory), ...options })
}

function headers(lines: readonly string[]): string[] {
  return lines.flatMap((line) => ['-H', line])
}

function curl(port: number, options: readonly string[], path = '/files'): Promise<Run> {
  return start(port, options, path).result
}

function start(
  port: number,
  options: readonly string[],
  path = '/files',
): { readonly child: ChildProcess; readonly result: Promise<Run> } {
  return run('curl', [...common, ...options, `http://127.0.0.1:${port}${path}`])
}

/** Ignores the configuration of the machine, and prints the heads of all responses to stdout. */
const common = ['-q', '--silent', '--noproxy', '*', '--dump-header', '-', '--output', '/dev/null']

/**
 * Sends the rest of the source with a shell command, which gets the options of curl as its
 * arguments.
 */
function sendRest(path: string, offset: number, command: string): Promise<Run> {
  const fields = ['Content-Type: application/partial-upload', `Upload-Offset: ${offset}`, ...whole]
  const url = `http://127.0.0.1:${site.port}${path}`
  const options = [...common, ...headers(fields), '--url', url]
  return run('sh', ['-c', command, 'sh', ...options], join(source, '..')).result
}

function run(
  program: string,
  options: readonly string[],
  cwd?: string,
): { readonly child: ChildProcess; readonly result: Promise<Run> } {
  const child = spawn(program, options, { stdio: 'pipe', ...(cwd && { cwd }) })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  const result = ended.then(([stdout, stderr, [code]]) => {
    return { code: code as number | null, stderr, responses: parseHeads(stdout) }
  })
  return { child, result }
}

function parseHeads(stdout: string): Response[] {
  const blocks = stdout.split('\r\n\r\n').filter((block) => block.startsWith('HTTP/'))
  return blocks.map((block) => {
    const [statusLine = '', ...lines] = block.split('\r\n')
    const fields = lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    })
    return { status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(fields) }
  })
}

async function offsetOf(path: string): Promise<number> {
  const { responses } = await curl(site.port, ['-I', ...headers([whole[1]!])], path)
  const { status, headers: fields } = responses[0]!
  expect(status).toBe(204)
  expect(fields).toMatchObject({ 'upload-complete': '?0', 'cache-control': 'no-store' })
  return Number(fields['upload-offset'])
}

async function expectFinished(path: string): Promise<void> {
  const id = path.split('/').at(-1)!
  const { upload, finished } = await site.handler.uploads.inspect(id)
  expect({ state: upload.state.kind, finished, length: upload.length }).toEqual({
    state: 'finished',
    finished: true,
    length: data.length,
  })
  const stored = await readFile(join(directory, id))
  expect(digest(stored)).toBe(digest(data))
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
