import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { setImmediate } from 'node:timers/promises'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { createCertificate } from '../../../test/support/certificate.js'
import { temporaryDirectory, until } from '../../../test/support/serve.js'
import { plugin as amqpHooks } from '@tuskit/amqp-hooks/plugin'
import type { Plugin } from '@tuskit/server'
import { preload, program, runProgram, startProgram } from './program.js'

let folder: string

beforeEach(async () => {
  folder = await temporaryDirectory()
})

const tus = { 'Tus-Resumable': '1.0.0' }
const chunk = { ...tus, 'Content-Type': 'application/offset+octet-stream' }

/** Uploads a text in one request, and returns the response. */
async function upload(url: string, text: string, metadata = ''): Promise<Response> {
  const headers = { ...chunk, 'Upload-Length': String(text.length), 'Upload-Metadata': metadata }
  return fetch(url, { method: 'POST', headers, body: text })
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

test('uploads are kept in ./data and served below /files/ on the own machine', async () => {
  const { url, child, stop } = await startProgram([], { cwd: folder })
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/files\/$/)
  const created = await upload(url, 'hello')
  expect(created.status).toBe(201)
  const id = created.headers.get('location')!.split('/').at(-1)!
  expect(await readFile(join(folder, 'data', id), 'utf8')).toBe('hello')
  expect(await (await fetch(new URL(created.headers.get('location')!, url))).text()).toBe('hello')
  expect(await stop()).toBe(0)
  expect(child.exitCode).toBe(0)
})

test('the bytes of a running request are kept when the program stops', async () => {
  const first = await startProgram([], { cwd: folder })
  const created = await fetch(first.url, {
    method: 'POST',
    headers: { ...tus, 'Upload-Length': '10' },
  })
  const location = new URL(created.headers.get('location')!, first.url)
  const request = http.request(location, {
    method: 'PATCH',
    headers: { ...chunk, 'Upload-Offset': '0', 'Content-Length': '10' },
  })
  const responded = once(request, 'response')
  request.write('01234')
  const stored = () => stat(join(folder, 'data', location.pathname.slice(7)))
  await until(stored, ({ size }) => size === 5)
  expect(await first.stop()).toBe(0)
  const [response] = (await responded) as [http.IncomingMessage]
  expect(response.statusCode).toBe(503)

  const second = await startProgram([], { cwd: folder })
  const headers = { ...chunk, 'Upload-Offset': '5' }
  const resumed = await fetch(new URL(location.pathname, second.url), {
    method: 'PATCH',
    headers,
    body: '56789',
  })
  expect(resumed.status).toBe(204)
})

test('folders by time, and the names of the client', async () => {
  const parameters = ['--dir-structure', '{env[SITE]}/{year}/{month}', '--file-names', 'original']
  const { url } = await startProgram(parameters, { cwd: folder, env: { SITE: 'berlin' } })
  const before = new Date().toISOString().slice(0, 7)
  const names = await Promise.all(
    ['../../Été: 1.jpg', '.hidden', '', 'a'.repeat(300) + '.tar.gz'].map(async (filename) => {
      const { headers } = await upload(url, 'hello', `filename ${base64(filename)}`)
      return headers.get('location')!.split('/').at(-1)!
    }),
  )
  const after = new Date().toISOString().slice(0, 7)
  const found = (await readdir(join(folder, 'data/berlin'), { recursive: true })).filter((path) =>
    path.includes(names.find((id) => path.includes(id)) ?? '/none'),
  )
  const months = [...new Set([before, after])].map((month) => month.replace('-', '/'))
  const [photo, hidden, unnamed, long] = names
  const expected = [`Été_ 1-${photo}.jpg`, `hidden-${hidden}`, `${unnamed}`]
  for (const name of expected) {
    expect(months.some((month) => found.includes(`${month}/${name}`))).toBe(true)
  }
  expect(found.find((path) => path.includes(long!))).toMatch(/\/a+-[0-9a-f]{32}\.gz$/)
})

test('a limit for all uploads together', async () => {
  const { url } = await startProgram(['--limit', '8B'], { cwd: folder })
  expect((await upload(url, 'hello')).status).toBe(201)
  expect((await upload(url, 'hello')).status).toBe(507)
})

test('uploads in memory', async () => {
  const { url } = await startProgram(['--data', 'memory:'], { cwd: folder })
  expect((await upload(url, 'hello')).status).toBe(201)
  expect(await readdir(folder)).toEqual([])
})

test('a plugin adds stores, lockers and hooks', async () => {
  await writeFile(
    join(folder, 'plugin.mjs'),
    `import { MemoryInfoStore, MemoryLocker, MemoryStore } from 'tuskit/memory-store'
    export const plugin = {
      data: { ram: () => new MemoryStore() },
      info: { ram: () => new MemoryInfoStore() },
      locks: { ram: () => ({ useIn: (composer) => composer.useLocker(new MemoryLocker()) }) },
      hooks: {
        no: (url, { events, format, timeout }) => ({
          events: ['pre-create'],
          call: ({ upload }) => ({ reject: { status: 418, body: [url, format, timeout].join() } }),
        }),
      },
    }`,
  )
  const parameters = ['--plugin', './plugin.mjs', '--data', 'ram:x', '--hooks-url', 'no://thanks']
  const { url } = await startProgram(parameters, { cwd: folder })
  const refused = await upload(url, 'hello')
  expect(refused.status).toBe(418)
  expect(await refused.text()).toBe('no://thanks,tusd,15000')
})

test('a plugin must export what it adds', async () => {
  await writeFile(join(folder, 'plugin.mjs'), 'export default {}')
  const { code, errors } = await runProgram(['--plugin', './plugin.mjs'], { cwd: folder })
  expect(errors).toContain('must export an object with the name plugin')
  expect(code).toBe(2)
})

test('a package that a plugin needs is named with its remedy', async () => {
  await writeFile(join(folder, 'plugin.mjs'), `import 'no-such-client/part'`)
  const { code, errors } = await runProgram(['--plugin', './plugin.mjs'], { cwd: folder })
  expect(errors).toBe(
    'tuskit: The plugin ./plugin.mjs cannot be loaded: no-such-client is not installed. Run: npm install no-such-client\n',
  )
  expect(code).toBe(2)
})

test('stores that cannot be opened are reported with advice', async () => {
  await writeFile(
    join(folder, 'plugin.mjs'),
    `import { MemoryInfoStore } from 'tuskit/memory-store'
    const refuse = () => Promise.reject(Object.assign(new Error('no entry'), { code: '28P01' }))
    const refuses = { open: refuse, close: async () => {} }
    const useIn = (composer) => composer.use(new MemoryInfoStore()).useLifecycle(refuses)
    export const plugin = { info: { shut: () => ({ useIn }) } }`,
  )
  const flags = ['--plugin', './plugin.mjs', '--info', 'shut:']
  const { code, errors } = await runProgram(flags, { cwd: folder })
  expect(errors).toBe(
    'tuskit: The stores cannot be opened: no entry. Correct the user or the password, in the URL or in the environment.\n',
  )
  expect(code).toBe(2)
})

test('programs are asked before URLs, and both see the event', async () => {
  const requests: unknown[] = []
  const hook = http.createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += String(piece)
    requests.push(JSON.parse(body))
    response.end()
  })
  await once(hook.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void hook.close())
  await mkdir(join(folder, 'hooks'))
  const script = join(folder, 'hooks/pre-create')
  await writeFile(
    script,
    '#!/bin/sh\ncat > ../seen.json\n[ ! -e ../refuse ] || echo \'{"RejectUpload":true}\'\n',
  )
  await chmod(script, 0o755)
  const target = `http://127.0.0.1:${(hook.address() as AddressInfo).port}`
  const parameters = [
    '--hooks-dir',
    './hooks',
    '--hooks-http',
    target,
    '--hooks-events',
    'pre-create',
  ]
  const { url } = await startProgram(parameters, { cwd: folder })
  expect((await upload(url, 'hello')).status).toBe(201)
  const seen: unknown = JSON.parse(await readFile(join(folder, 'seen.json'), 'utf8'))
  expect(seen).toMatchObject({ Type: 'pre-create', Event: { Upload: { Size: 5 } } })
  expect(requests).toEqual([seen])

  await writeFile(join(folder, 'refuse'), '')
  expect((await upload(url, 'hello')).status).toBe(400)
  expect(requests).toHaveLength(1)
})

test('messages name the file by its whole path', async () => {
  await writeFile(join(folder, 'hook'), '#!/bin/sh\ncat > part-$1 && mv part-$1 seen-$1.json\n')
  await chmod(join(folder, 'hook'), 0o755)
  const { url } = await startProgram(['--hooks-program', './hook'], { cwd: folder })
  const created = await upload(url, 'hello')
  const id = created.headers.get('location')!.split('/').at(-1)!
  const seen = join(folder, 'seen-post-finish.json')
  const read = async () => JSON.parse(await readFile(seen, 'utf8').catch(() => 'null')) as unknown
  expect(await until(read, (content) => content !== null)).toMatchObject({
    Event: { Upload: { Storage: { Type: 'filestore', Path: join(folder, 'data', id) } } },
  })
})

test('a Unix domain socket with its mode', async () => {
  const path = join(folder, 'tuskit.sock')
  // A killed program left it.
  const killed = spawn(process.execPath, ['-e', `require('net').createServer().listen('${path}')`])
  await until(
    () => stat(path).catch(() => undefined),
    (found) => found !== undefined,
  )
  killed.kill('SIGKILL')
  await once(killed, 'close')

  const parameters = ['--unix-socket', path, '--unix-socket-mode', '600', '--behind-proxy', 'unix:']
  await startProgram(parameters, { cwd: folder })
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const request = http.request({
    socketPath: path,
    path: '/files/',
    method: 'POST',
    headers: { ...tus, 'Upload-Length': '5', 'X-Forwarded-Prefix': '/prefix' },
  })
  request.end()
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  expect(response.headers.location).toMatch(/^\/prefix\/files\//)

  const second = await runProgram(['--unix-socket', path], { cwd: folder })
  expect(second.errors).toContain('another program listens there')
  expect(second.code).toBe(2)
})

test('a signal that arrives again while the program ends does not change its exit code', async () => {
  const code = 'process.on("exit",()=>process.kill(process.pid,"SIGINT"))'
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` }
  const { stop } = await startProgram([], { cwd: folder, env })
  expect(await stop('SIGINT')).toBe(0)
})

test('signals that keep coming until the program is gone do not end it', async () => {
  const { child, stop } = await startProgram([], { cwd: folder })
  const stopped = stop('SIGINT')
  while (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGINT')
    await setImmediate()
  }
  await stopped
  // Half a second after the first one, another one asks for an end at once, with the code 1.
  expect(child.signalCode).toBeNull()
})

test('a socket that systemd has opened', async () => {
  const listener = net.createServer()
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const { port } = listener.address() as AddressInfo
  const { fd } = (listener as unknown as { _handle: { fd: number } })._handle
  const command = `LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" --import "$1" "$2" $3`
  const start = (flags: string, errors: 'inherit' | 'pipe') => {
    const words = ['-c', command, process.execPath, preload, program, flags]
    const child = spawn('sh', words, { cwd: folder, stdio: ['ignore', 'pipe', errors, fd] })
    onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }
  const wrong = start('--unix-socket ./uploads.sock', 'pipe')
  expect(await text(wrong.stderr!)).toContain('Remove that unit, or --unix-socket ./uploads.sock.')

  const child = start('', 'inherit')
  const [line] = (await once(child.stdout!.setEncoding('utf8'), 'data')) as [string]
  expect(line).toContain('systemd')
  // From now on, only the program accepts connections.
  listener.close()
  expect((await upload(`http://127.0.0.1:${port}/files/`, 'hello')).status).toBe(201)
})

test('HTTPS with HTTP/2 and HTTP/1.1, and a new certificate on SIGHUP', async () => {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const renew = async () => {
    const certificate = createCertificate()
    await Promise.all([writeFile(cert, certificate.cert), writeFile(key, certificate.key)])
    return certificate.cert
  }
  const oldCertificate = await renew()
  const parameters = ['--tls-cert', cert, '--tls-key', key]
  const { url, child, log, stop } = await startProgram(parameters, { cwd: folder })
  expect(url).toMatch(/^https:/)

  const post = { ...tus, 'upload-length': '5', 'content-type': 'application/offset+octet-stream' }
  const session = http2.connect(url, { ca: oldCertificate, servername: 'localhost' })
  onTestFinished(() => session.destroy())
  const stream = session.request({ ':method': 'POST', ':path': '/files/', ...post })
  stream.end('hello')
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
  expect(headers[':status']).toBe(201)
  // A client may send that much before it waits for a round trip.
  expect(session.remoteSettings.initialWindowSize).toBe(1_048_576)
  expect(session.state.remoteWindowSize).toBeGreaterThanOrEqual(1_000_000)

  const newCertificate = await renew()
  child.kill('SIGHUP')
  await until(
    async () => log(),
    (text) => text.includes('The certificate was read again'),
  )
  const port = Number(new URL(url).port)
  const options = { port, ca: newCertificate, servername: 'localhost', ALPNProtocols: ['http/1.1'] }
  const socket = connectTls(options)
  await once(socket, 'secureConnect')
  expect(socket.authorized).toBe(true)
  socket.write('OPTIONS /files/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const [status] = (await once(socket.setEncoding('utf8'), 'data')) as [string]
  expect(status).toMatch(/^HTTP\/1\.1 20/)

  // A half-written certificate must not end the program.
  await writeFile(cert, 'nonsense')
  child.kill('SIGHUP')
  await until(
    async () => log(),
    (text) => text.includes('could not be read again'),
  )
  expect(await stop()).toBe(0)
})

test('the page to upload from, with its own path for uploads', async () => {
  const { url } = await startProgram(['--page', '--base-path', '/a&b/'], { cwd: folder })
  const page = await fetch(new URL('/', url))
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(await page.text()).toContain('data-endpoint="/a&#38;b/"')
  for (const name of [
    'look.css',
    'page.css',
    'page.js',
    'row.js',
    'figures.js',
    'icon.svg',
    'tus.min.js',
  ]) {
    expect((await fetch(new URL(`/${name}`, url))).status).toBe(200)
  }
  expect((await fetch(new URL('/package.json', url))).status).toBe(404)
  expect((await fetch(new URL('/', url), { method: 'POST' })).status).toBe(405)
})

test('without --page, nothing but uploads is served', async () => {
  const { url } = await startProgram([], { cwd: folder })
  expect((await fetch(new URL('/', url))).status).toBe(404)
})

test('pages of other origins', async () => {
  const parameters = ['--cors', 'https://a.example,https://b.example', '--cors-credentials']
  const { url } = await startProgram(parameters, { cwd: folder })
  const allowed = async (origin: string) => {
    const { headers } = await fetch(url, { method: 'OPTIONS', headers: { origin } })
    return headers.get('access-control-allow-origin')
  }
  expect(await allowed('https://b.example')).toBe('https://b.example')
  expect(await allowed('https://c.example')).toBe(null)
})

test('an address that is in use', async () => {
  const { url } = await startProgram([], { cwd: folder })
  const { code, errors } = await runProgram(['--port', new URL(url).port], { cwd: folder })
  expect(errors).toContain('another program listens there. Choose another --port.')
  expect(code).toBe(2)
})

test('logs in JSON name the request and the upload, and no secret', async () => {
  const { url, log } = await startProgram(['--log-level', 'debug'], { cwd: folder })
  const headers = {
    ...tus,
    'Upload-Length': '5',
    'X-Request-ID': 'r-1',
    Authorization: 'Bearer hush',
    Cookie: 'a=hush',
  }
  await fetch(`${url}?token=hush`, { method: 'POST', headers })
  const text = await until(
    async () => log(),
    (text) => text.includes('"Request"'),
  )
  const lines = text.trim().split('\n')
  const logged = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
  const line = { requestId: 'r-1', uploadId: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown }
  const path = '/files/'
  expect(logged).toContainEqual(
    expect.objectContaining({ ...line, method: 'POST', path, status: 201, msg: 'Request' }),
  )
  expect(text).not.toContain('hush')
})

test('the packages of tuskit are plugins', () => {
  const plugins: readonly Plugin[] = [amqpHooks]
  expect(plugins.flatMap(({ hooks = {} }) => Object.keys(hooks))).toEqual(['amqp', 'amqps'])
})

test('a wrong option in the URL of a message queue stops the start', async () => {
  const parameters = ['--hooks-url', 'amqp://localhost/?queu=uploads']
  const { code, errors } = await runProgram(parameters, { cwd: folder })
  expect(errors).toContain('--hooks-url: there is no option queu, only queue, exchange')
  expect(code).toBe(2)
})
