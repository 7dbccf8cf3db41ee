import { once } from 'node:events'
import { readFile, rename } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { temporaryDirectory, until } from '../../../../test/support/serve.js'
import { runProgram, startProgram, type Running } from '../program.js'

let folder: string

beforeEach(async () => {
  folder = await temporaryDirectory()
})

const tus = { 'Tus-Resumable': '1.0.0', Connection: 'close' }

/** Starts the program, and returns the URL of its listener for operators, too. */
async function startWithAdmin(...parameters: readonly string[]) {
  const running = await startProgram(['--admin', '127.0.0.1:0', ...parameters], { cwd: folder })
  const [, admin] = await until(
    async () => /"url":"(http:[^"]+)"/.exec(running.log()) ?? [],
    ([found]) => found !== undefined,
  )
  return { ...running, admin: admin! }
}

async function create({ url }: Running, length: number): Promise<string> {
  const headers = { ...tus, 'Upload-Length': String(length) }
  const response = await fetch(url, { method: 'POST', headers })
  return new URL(response.headers.get('location')!, url).href
}

/** Returns a metric without labels. */
async function metric(admin: string, name: string): Promise<number> {
  const text = await (await fetch(`${admin}metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

test.each([
  ['one process', []],
  ['two workers', ['--workers', '2']],
])('health, metrics and live uploads of %s', async (_, parameters) => {
  const running = await startWithAdmin(...parameters)
  const { admin } = running
  expect((await fetch(`${admin}healthz`)).status).toBe(200)
  expect((await fetch(`${admin}readyz`)).status).toBe(200)

  const uploads = await Promise.all(Array.from({ length: 8 }, () => create(running, 10)))
  expect(await metric(admin, 'tusd_uploads_created')).toBe(8)

  const headers = { ...tus, 'Upload-Offset': '0', 'Content-Length': '10' }
  const type = { 'Content-Type': 'application/offset+octet-stream' }
  const request = http.request(uploads[0]!, { method: 'PATCH', headers: { ...headers, ...type } })
  request.write('01234')
  type Live = { readonly uploads: readonly Readonly<Record<string, unknown>>[] }
  const live = await until(
    async () => ((await (await fetch(`${admin}uploads.json`)).json()) as Live).uploads,
    (all) => all.some(({ state, offset }) => state === 'receiving' && offset === 5),
  )
  const id = uploads[0]!.split('/').at(-1)
  expect(live.find(({ state }) => state === 'receiving')).toMatchObject({ id, length: 10 })
  request.end('56789')
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  expect(response.statusCode).toBe(204)
  expect(await metric(admin, 'tusd_uploads_finished')).toBe(1)
  expect(await metric(admin, 'tusd_bytes_received')).toBe(10)
  expect(await (await fetch(admin)).text()).toContain('<html')
  expect(await running.stop()).toBe(0)
})

test('counters stay when a worker dies', async () => {
  const running = await startWithAdmin('--workers', '2')
  const { admin, child } = running
  await Promise.all(Array.from({ length: 8 }, () => create(running, 10)))
  expect(await metric(admin, 'tusd_uploads_created')).toBe(8)
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
  process.kill(Number(children.split(' ')[0]), 'SIGKILL')
  await until(
    async () => running.log(),
    (log) => log.includes('A worker has ended and is replaced'),
  )
  expect(await metric(admin, 'tusd_uploads_created')).toBe(8)
})

test('it is not ready while the directory is away, and ready again afterwards', async () => {
  const { admin } = await startWithAdmin()
  await fetch(`${admin}readyz`)
  await rename(join(folder, 'data'), join(folder, 'moved'))
  const response = await fetch(`${admin}readyz`)
  expect(response.status).toBe(503)
  const reasons = await response.text()
  expect(reasons).toContain('The records of uploads cannot be read.')
  expect(reasons).toContain('The data of uploads cannot be read.')
  expect(reasons).not.toContain(folder)
  await rename(join(folder, 'moved'), join(folder, 'data'))
  expect((await fetch(`${admin}readyz`)).status).toBe(200)
})

test.each(['nowhere', '127.0.0.1:99999', '127.0.0.1:'])('%s is no address', async (address) => {
  const { code, errors } = await runProgram(['--port', '0', '--admin', address], { cwd: folder })
  expect(errors).toContain('--admin must be an address such as 127.0.0.1:1081')
  expect(code).toBe(2)
})
