import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { InfoStore, Upload } from 'tuskit'
import { FileLocker } from 'tuskit/file-store'
import { MemoryInfoStore } from 'tuskit/memory-store'
import {
  chunk,
  createUpload,
  download,
  fileComposer,
  head,
  memoryComposer,
  openPatch,
  openRequest,
  patch,
  post,
  remove,
  send,
  serve,
  stores,
  temporaryDirectory,
  until,
  untilOffset,
  untilStored,
} from '../../support/serve.js'
import { noAbort, newGate } from '../../support/stages.js'

const cut = { code: 'ECONNRESET' }

describe.each(stores)('a second request ($store store)', ({ compose }) => {
  test('T-190 a PATCH takes over from one that is still sending, whose bytes are kept', async () => {
    const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
    const url = await createUpload(site)
    const first = openPatch(url, 0, { 'content-length': '11' })
    first.request.write('hello')
    await untilOffset(url, 5)
    const second = await patch(url, 5, ' world')
    expect([second.status, second.headers['upload-offset']]).toEqual([204, '11'])
    await expect(first.reply).rejects.toMatchObject(cut)
    expect(await download(url)).toBe('hello world')
  })

  test('T-190 a PATCH that takes over at the wrong offset gets the right one', async () => {
    const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
    const url = await createUpload(site)
    const first = openPatch(url, 0, { 'content-length': '11' })
    first.request.write('hello')
    await untilOffset(url, 5)
    const second = await patch(url, 7, 'orld')
    expect([second.status, second.headers['upload-offset']]).toEqual([409, '5'])
    await expect(first.reply).rejects.toMatchObject(cut)
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-190 a PATCH at an offset below the stored bytes never ends the one that is sending', async () => {
    const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
    const url = await createUpload(site)
    const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
    request.write('hello')
    await untilStored(site, url, 5)
    for (let attempt = 0; attempt < 5; attempt++) {
      for (const offset of [0, 4]) {
        const outdated = await patch(url, offset, 'x')
        expect([outdated.status, outdated.headers['upload-offset']]).toEqual([409, '5'])
      }
    }
    request.end(' world')
    expect((await reply).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-190 of many concurrent PATCHes at one offset, no two are accepted', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createUpload(site, { 'upload-length': '100000' })
    const letters = ['a', 'b', 'c', 'd', 'e', 'f']
    const bodies = letters.map((letter) => letter.repeat(100_000))
    const replies = await Promise.allSettled(bodies.map((body) => patch(url, 0, body)))
    const statuses = replies.map((reply) =>
      reply.status === 'fulfilled' ? reply.value.status : (reply.reason as { code: string }).code,
    )
    const accepted = statuses.filter((status) => status === 204).length
    expect(accepted).toBeLessThanOrEqual(1)
    for (const status of statuses) expect([204, 409, 'ECONNRESET', 'EPIPE']).toContain(status)
    const offset = Number((await head(url)).headers['upload-offset'])
    if (accepted === 1) expect(offset).toBe(100_000)
    await patch(url, offset, 'z'.repeat(100_000 - offset))
    expect(await download(url)).toMatch(/^(a*|b*|c*|d*|e*|f*)z*$/)
  })

  test('T-191 HEAD during a PATCH reports the stored bytes and does not interrupt it', async () => {
    const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
    const url = await createUpload(site)
    const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
    request.write('hello')
    await untilOffset(url, 5)
    expect((await send({ method: 'GET', url })).status).toBe(409)
    request.end(' world')
    expect((await reply).status).toBe(204)
  })

  test('T-191 HEAD ends a PATCH that has stalled, and reports every byte that arrived', async () => {
    const site = await serve({ composer: await compose(), takeoverAfter: 1 })
    const url = await createUpload(site)
    const { reply } = openRequest({
      method: 'PATCH',
      url,
      headers: { ...chunk, 'upload-offset': '0', 'content-length': '11' },
      body: 'hello',
    })
    let end: unknown
    void reply.catch((error: unknown) => (end = error))
    const { headers } = await until(
      () => head(url),
      () => end !== undefined,
    )
    expect(end).toMatchObject(cut)
    expect(headers['upload-offset']).toBe('5')
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  })

  test('T-191 the lock covers a creation with its bytes', async () => {
    const site = await serve({
      composer: await compose(),
      generateId: () => 'known',
      takeoverAfter: 60_000,
    })
    const { request, reply } = openRequest({
      method: 'POST',
      url: `${site.origin}/files`,
      headers: { ...chunk, 'upload-length': '11', 'content-length': '11' },
    })
    request.write('hello')
    const url = `${site.origin}/files/known`
    await untilOffset(url, 5)
    expect((await patch(url, 5, ' world')).status).toBe(204)
    await expect(reply).rejects.toMatchObject(cut)
    expect(await download(url)).toBe('hello world')
  })
})

test('T-190 a request gets 423 when the lock is not released in time', async () => {
  const gate = newGate()
  const site = await serve({ lockTimeout: 50, hooks: { preFinish: gate.pass } })
  const url = await createUpload(site)
  const finishing = patch(url, 0, 'hello world')
  await gate.reached
  for (const reply of [await patch(url, 0, 'hello world'), await remove(url)]) {
    expect(reply.status).toBe(423)
    expect(reply.text).toMatch(/^ERR_UPLOAD_LOCKED: .+\n$/)
    expect(reply.headers['retry-after']).toBe('1')
  }
  gate.open()
  expect((await finishing).status).toBe(204)
  expect((await head(url)).headers['upload-offset']).toBe('11')
})

test('T-190 finishing that takes longer than finishTimeout gets 503 and continues', async () => {
  const gate = newGate()
  const site = await serve({ finishTimeout: 50, hooks: { preFinish: gate.pass } })
  const url = await createUpload(site)
  const busy = await patch(url, 0, 'hello world')
  expect([busy.status, busy.text.split(':', 1)[0]]).toEqual([503, 'ERR_UPLOAD_BUSY'])
  // HEAD has its own status for this: see T-041.
  const asked = await head(url)
  expect(asked.status).not.toBe(200)
  expect(asked.headers).not.toHaveProperty('upload-offset')
  for (const { headers } of [busy, asked]) expect(headers['retry-after']).toMatch(/^\d+$/)
  gate.open()
  await untilOffset(url, 11)
  expect(await download(url)).toBe('hello world')
})

test('T-191 HEAD does not wait for a PATCH that receives no bytes yet', async () => {
  const gate = newGate()
  class SlowInfoStore extends MemoryInfoStore implements InfoStore {
    override async update(upload: Upload): Promise<void> {
      await gate.pass()
      return super.update(upload, noAbort)
    }
  }
  const composer = memoryComposer().useInfoStore(new SlowInfoStore())
  const site = await serve({ composer })
  const url = await createUpload(site, { 'upload-defer-length': '1' })
  const declaring = patch(url, 0, 'hello', { 'upload-length': '5' })
  await gate.reached
  expect((await head(url)).headers['upload-offset']).toBe('0')
  gate.open()
  expect((await declaring).status).toBe(204)
})

test('T-191 the lock of one upload does not block another', async () => {
  const site = await serve({ takeoverAfter: 60_000 })
  const busy = await createUpload(site)
  const { request, reply } = openPatch(busy, 0, { 'content-length': '11' })
  request.write('hello')
  await untilOffset(busy, 5)
  const other = await post(site, { 'upload-length': '5' }, 'other')
  expect(other.status).toBe(201)
  expect((await remove(site.origin + other.headers.location)).status).toBe(204)
  request.end(' world')
  expect((await reply).status).toBe(204)
})

test('T-191 processes that share a locker take uploads over from each other', async () => {
  const directory = await temporaryDirectory()
  const program = fileURLToPath(new URL('../../programs/serve-files.mjs', import.meta.url))
  const child = spawn(process.execPath, [program, directory, '10000'])
  onTestFinished(async () => {
    if (child.kill('SIGKILL')) await once(child, 'exit')
  })
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string]
  const composer = fileComposer(directory)
  new FileLocker({ directory }).useIn(composer)
  const site = await serve({ composer })

  const here = await createUpload(site)
  const there = here.replace(`:${site.port}/`, `:${port}/`)
  const first = openPatch(there, 0, { 'content-length': '11' })
  first.request.write('hello')
  await untilOffset(here, 5)
  expect((await patch(here, 5, ' ')).status).toBe(204)
  await expect(first.reply).rejects.toMatchObject(cut)

  const writer = openPatch(there, 6, { 'content-length': '5' })
  writer.request.write('w')
  await untilOffset(here, 7)
  const outdated = await patch(here, 6, 'x')
  expect([outdated.status, outdated.headers['upload-offset']]).toEqual([409, '7'])
  writer.request.write('o')
  await untilOffset(here, 8)
  writer.request.destroy()
  const second = openPatch(here, 8, { 'content-length': '3' })
  second.request.write('r')
  await untilOffset(there, 9)
  expect((await patch(there, 9, 'ld')).status).toBe(204)
  await expect(second.reply).rejects.toMatchObject(cut)
  expect(await download(here)).toBe('hello world')
})
