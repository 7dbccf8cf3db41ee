import { once } from 'node:events'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { createCertificate } from '../../../test/support/certificate.js'
import { temporaryDirectory, listen, until } from '../../../test/support/serve.js'
import { runProgram, startProgram, type Running } from './program.js'

let folder: string

beforeEach(async () => {
  folder = await temporaryDirectory()
})

const tus = { 'Tus-Resumable': '1.0.0' }
const chunk = { ...tus, 'Content-Type': 'application/offset+octet-stream', Connection: 'close' }

/** Starts two workers, with other parameters. */
function startWorkers(...parameters: readonly string[]): Promise<Running> {
  return startProgram(['--workers', '2', ...parameters], { cwd: folder })
}

async function create(url: string, length: number): Promise<string> {
  const headers = { ...tus, 'Upload-Length': String(length), Connection: 'close' }
  const response = await fetch(url, { method: 'POST', headers })
  expect(response.status).toBe(201)
  return new URL(response.headers.get('location')!, url).href
}

async function append(url: string, offset: number, body: string): Promise<number> {
  const headers = { ...chunk, 'Upload-Offset': String(offset) }
  return (await fetch(url, { method: 'PATCH', headers, body })).status
}

/** Returns the ids of the workers' processes. */
async function processesOf({ child }: Running): Promise<readonly number[]> {
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
  return children.trim().split(' ').filter(Boolean).map(Number)
}

test('any worker continues an upload, and one that dies is replaced', async () => {
  const running = await startWorkers()
  const before = await processesOf(running)
  expect(before).toHaveLength(2)
  const upload = await create(running.url, 10)
  for (const [offset, digit] of [...'01234'].entries()) {
    expect(await append(upload, offset, digit)).toBe(204)
  }

  process.kill(before[0]!, 'SIGKILL')
  const after = await until(
    () => processesOf(running),
    (ids) => ids.length === 2 && !ids.includes(before[0]!),
  )
  expect(after).toContain(before[1])
  expect(running.log()).toContain('A worker has ended and is replaced')
  // Whichever worker a connection goes to, and whether the new one listens already.
  for (const [offset, digit] of [...'56789'].entries()) {
    expect(await append(upload, offset + 5, digit)).toBe(204)
  }
  expect(await (await fetch(upload)).text()).toBe('0123456789')
  expect(await running.stop()).toBe(0)
})

test('one worker removes expired uploads, and another one when it has died', async () => {
  const running = await startWorkers('--expire-after', '1ms', '--sweep-every', '50ms')
  const isRemoved = async () => {
    const id = (await create(running.url, 10)).split('/').at(-1)!
    await until(
      () => readdir(join(folder, 'data')),
      (names) => !names.includes(id),
    )
  }
  await isRemoved()
  for (const id of await processesOf(running)) {
    process.kill(id, 'SIGKILL')
    await until(
      () => processesOf(running),
      (ids) => ids.length === 2 && !ids.includes(id),
    )
    await isRemoved()
  }
  expect(await running.stop()).toBe(0)
})

test('workers share a Unix domain socket', async () => {
  const path = join(folder, 'tuskit.sock')
  const running = await startWorkers('--unix-socket', path, '--unix-socket-mode', '600')
  await until(
    () => processesOf(running),
    (ids) => ids.length === 2,
  )
  for (let i = 0; i < 4; i++) {
    const headers = { ...tus, 'Upload-Length': '5', Connection: 'close' }
    const request = http.request({ socketPath: path, path: '/files/', method: 'POST', headers })
    request.end()
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    expect(response.statusCode).toBe(201)
    response.resume()
  }
  expect(running.log()).not.toContain('is replaced')
  expect(await running.stop()).toBe(0)
})

test('workers that cannot start are tried again until they can', async () => {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const certificate = createCertificate()
  await Promise.all([writeFile(cert, certificate.cert), writeFile(key, certificate.key)])
  const admin = ['--admin', '127.0.0.1:0']
  const running = await startWorkers('--tls-cert', cert, '--tls-key', key, ...admin)
  const [, operators] = /"url":"(http:[^"]+)"/.exec(running.log())!
  const ready = async () => (await fetch(`${operators!}readyz`)).status
  expect(await ready()).toBe(200)

  await writeFile(cert, 'nonsense')
  for (const id of await processesOf(running)) process.kill(id, 'SIGKILL')
  expect(await until(ready, (status) => status !== 200)).toBe(503)
  await until(
    async () => running.log(),
    (log) => log.includes('The certificate is wrong'),
  )
  await writeFile(cert, certificate.cert)
  expect(await until(ready, (status) => status === 200)).toBe(200)
  expect(await running.stop()).toBe(0)
})

test('workers share a limit', async () => {
  const { url } = await startWorkers('--limit', '100B')
  const headers = { ...tus, 'Upload-Length': '30', Connection: 'close' }
  const statuses = await Promise.all(
    Array.from({ length: 12 }, async () => (await fetch(url, { method: 'POST', headers })).status),
  )
  expect(statuses.toSorted((a, b) => a - b)).toEqual([...Array(3).fill(201), ...Array(9).fill(507)])
})

test('all workers keep the bytes of running requests when the program stops', async () => {
  const running = await startWorkers()
  const uploads = await Promise.all(Array.from({ length: 6 }, () => create(running.url, 10)))
  const responses = uploads.map(async (url) => {
    const headers = { ...chunk, 'Upload-Offset': '0', 'Content-Length': '10' }
    const request = http.request(url, { method: 'PATCH', headers })
    request.write('01234')
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    return response.statusCode
  })
  const stored = () =>
    Promise.all(
      uploads.map((url) => readFile(join(folder, 'data', url.split('/').at(-1)!), 'utf8')),
    )
  await until(stored, (contents) => contents.every((content) => content === '01234'))
  expect(await running.stop()).toBe(0)
  expect(await Promise.all(responses)).toEqual(Array(6).fill(503))
  expect(await stored()).toEqual(Array(6).fill('01234'))
})

test('the events of one upload come in order, whichever worker causes them', async () => {
  const seen = new Map<string, string[]>()
  const hook = http.createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += String(piece)
    const { Type, Event } = JSON.parse(body) as {
      readonly Type: string
      readonly Event: { readonly Upload: { readonly ID: string } }
    }
    const id = Event.Upload.ID
    seen.set(id, [...(seen.get(id) ?? []), Type])
    response.setHeader('content-type', 'application/json').end('{}')
  })
  const port = await listen(hook)
  onTestFinished(() => void hook.close())
  const { url } = await startWorkers(
    ...['--hooks-http', `http://127.0.0.1:${port}/`, '--hooks-outbox', './outbox'],
    ...['--hooks-events', 'post-create,post-receive,post-finish', '--hooks-progress-every', '1ms'],
  )
  const uploads = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const upload = await create(url, 5)
      for (const [offset, digit] of [...'01234'].entries()) {
        expect(await append(upload, offset, digit)).toBe(204)
      }
      return upload.split('/').at(-1)!
    }),
  )
  await until(
    async () => uploads.map((id) => seen.get(id) ?? []),
    (all) => all.every((events) => events.includes('post-finish')),
  )
  for (const id of uploads) {
    const events = seen.get(id)!
    expect(events[0]).toBe('post-create')
    expect(events.at(-1)).toBe('post-finish')
    expect(events.filter((event) => event !== 'post-receive')).toHaveLength(2)
  }
})

test('workers with hooks need an outbox', async () => {
  await writeFile(join(folder, 'hook'), '#!/bin/sh\n')
  await chmod(join(folder, 'hook'), 0o755)
  const parameters = ['--workers', '2', '--hooks-program', './hook']
  const { code, errors } = await runProgram(parameters, { cwd: folder })
  expect(errors).toContain('--workers with hooks needs --hooks-outbox')
  expect(code).toBe(2)
})

test('a worker that cannot start ends the program, with its reason', async () => {
  const { url } = await startProgram([], { cwd: folder })
  const parameters = ['--workers', '2', '--port', new URL(url).port]
  const { code, errors } = await runProgram(parameters, { cwd: folder })
  expect(errors).toContain('another program listens there')
  expect(code).toBe(2)
})
