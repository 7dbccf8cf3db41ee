import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { FileLocker } from 'tuskit/file-store'
import {
  createUpload,
  download,
  fileComposer,
  head,
  openPatch,
  patch,
  send,
  serve,
  temporaryDirectory,
  until,
} from '../../support/serve.js'

const lease = 3_000

function sha1(data: string): string {
  return `sha1 ${createHash('sha1').update(data).digest('base64')}`
}

/** Waits until a file of the upload has that many bytes, verified or not. */
function untilOnDisk(directory: string, url: string, size: number) {
  const path = join(directory, url.split('/').at(-1)!)
  return until(
    async () => (await stat(path)).size,
    (found) => found >= size,
  )
}

test('T-134 bytes on the disk count for no reader before they are verified', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory), takeoverAfter: 60_000 })
  const url = await createUpload(site)
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  const headers = { 'content-length': '6', 'upload-checksum': sha1(' world') }
  const { request, reply } = openPatch(url, 5, headers)
  request.write(' worl')
  await untilOnDisk(directory, url, 10)
  expect((await head(url)).headers['upload-offset']).toBe('5')
  expect((await send({ method: 'GET', url })).status).toBe(409)
  // This reader has no knowledge of the writer, as if it were in another process.
  const other = await serve({ composer: fileComposer(directory) })
  const there = url.replace(site.origin, other.origin)
  expect((await head(there)).headers['upload-offset']).toBe('5')
  request.end('d')
  expect((await reply).headers['upload-offset']).toBe('11')
  expect((await head(there)).headers['upload-offset']).toBe('11')
  expect(await download(url)).toBe('hello world')
})

test('T-134 bytes that are not verified when the server is killed never count', async () => {
  const directory = await temporaryDirectory()
  const program = fileURLToPath(new URL('../../programs/serve-files.mjs', import.meta.url))
  const child = spawn(process.execPath, [program, directory, String(lease)])
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string]
  const origin = `http://127.0.0.1:${port}`
  const composer = fileComposer(directory)
  new FileLocker({ directory, lease }).useIn(composer)
  const site = await serve({ composer })

  const url = await createUpload(site)
  const there = url.replace(site.origin, origin)
  expect((await patch(there, 0, 'hello')).status).toBe(204)
  const { request, reply } = openPatch(there, 5, {
    'content-length': '6',
    'upload-checksum': sha1(' world'),
  })
  request.write(' WORL')
  await untilOnDisk(directory, url, 10)
  child.kill('SIGKILL')
  await exited
  await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })

  expect((await head(url)).headers['upload-offset']).toBe('5')
  const rest = await patch(url, 5, ' world', { 'upload-checksum': sha1(' world') })
  expect([rest.status, rest.headers['upload-offset']]).toEqual([204, '11'])
  expect(await download(url)).toBe('hello world')
})
