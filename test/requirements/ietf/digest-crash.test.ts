import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FileLocker } from 'tuskit/file-store'
import {
  download,
  fileComposer,
  openRequest,
  send,
  serve,
  temporaryDirectory,
  until,
  type Site,
  idOf,
} from '../../support/serve.js'
import { startServer, type ServerOptions } from '../../support/server-process.js'
import { digest } from './digest-fields.js'
import { chunked, draft9, draftOf, type Fields, type Version } from './draft.js'

const claim = { 'content-digest': digest(' world') }

/** Bodies whose digest is that of " world", and is not verified yet. */
const bodies = [
  { body: 'a sized body', fields: { ...claim, 'content-length': '6' }, sent: ' WORL' },
  { body: 'a chunked body', fields: { ...claim, ...chunked }, sent: ' world' },
  {
    body: 'a body with a trailer',
    fields: { ...chunked, trailer: 'Content-Digest' },
    sent: ' world',
  },
]

/** Waits until a file of the upload has that many bytes, verified or not. */
function untilOnDisk(directory: string, id: string, size: number) {
  return until(
    async () => (await stat(join(directory, id))).size,
    (found) => found >= size,
  )
}

/** Returns the ids of all uploads in a directory. */
async function idsIn(directory: string): Promise<string[]> {
  const ids: string[] = []
  const { signal } = new AbortController()
  for await (const id of fileComposer(directory).slots().infoLister!.ids({ signal })) ids.push(id)
  return ids
}

/** Asserts that only these bytes count, and that another server continues from there. */
async function expectOnly(site: Site, id: string, version: Version, stored: string): Promise<void> {
  const draft = draftOf(version)
  const url = `${site.origin}/files/${id}`
  const offset = stored.length
  const state = await draft.stateOf(url)
  expect(state).toMatchObject({ 'upload-offset': String(offset), ...draft.more })
  expect(await site.handler.uploads.finishPending()).toBe(0)
  // Fewer bytes than before, without a digest, because nothing else would reveal leftovers.
  expect((await draft.append(url, offset, ' w', draft.more)).status).toBeLessThan(300)
  expect(await draft.stateOf(url)).toMatchObject({ 'upload-offset': String(offset + 2) })
  const fields = { ...draft.end, 'content-digest': digest('oRLd') }
  const rest = await draft.append(url, offset + 2, 'oRLd', fields)
  expect([rest.status, rest.headers['upload-offset']]).toEqual([201, String(offset + 6)])
  expect(await download(url)).toBe(`${stored} woRLd`)
}

const versions: Version[] = [3, 6, 9, undefined]
const crashes = bodies.flatMap((body) => versions.map((version) => ({ version, ...body })))

describe('R-130 bytes that are not verified when the server is killed never count', () => {
  test.each(crashes)(
    'R-130 the bytes of an append do not count, $body, version $version',
    async (crash) => {
      const { version, fields, sent } = crash
      const draft = draftOf(version)
      const directory = await temporaryDirectory()
      const server = await startServer({ directory })
      const url = await draft.started(server, 'hello')
      const request = draft.appending(url, 5, sent, { ...draft.end, ...fields })
      const { reply } = openRequest(request)
      const id = url.split('/').at(-1)!
      await untilOnDisk(directory, id, 5 + sent.length)
      await server.kill()
      await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
      const site = await serve({ composer: fileComposer(directory) })
      await expectOnly(site, id, version, 'hello')
    },
  )

  test.each(crashes)(
    'R-130 the bytes of a creation do not count, $body, version $version',
    async (crash) => {
      const { version, fields, sent } = crash
      const draft = draftOf(version)
      const directory = await temporaryDirectory()
      const server = await startServer({ directory })
      const request = draft.creation(server, sent, { ...draft.end, ...fields })
      const { reply } = openRequest(request)
      const [id] = await until(
        () => idsIn(directory),
        (ids) => ids.length === 1,
      )
      await until(
        () => stat(join(directory, id!)).catch(() => undefined),
        (found) => found?.size === sent.length,
      )
      await server.kill()
      await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
      const site = await serve({ composer: fileComposer(directory) })
      await expectOnly(site, id!, version, '')
    },
  )
})

test('R-130 unverified bytes on the disk do not count for another server, which continues after a crash', async () => {
  const directory = await temporaryDirectory()
  const server = await startServer({ directory, lease: 3_000 })
  const composer = fileComposer(directory)
  new FileLocker({ directory, lease: 3_000 }).useIn(composer)
  const site = await serve({ composer })
  const url = await draft9.started(server, 'hello')
  const fields = { ...draft9.end, ...claim, 'content-length': '6' }
  const { reply } = openRequest(draft9.appending(url, 5, ' WORL', fields))
  const id = url.split('/').at(-1)!
  await untilOnDisk(directory, id, 10)
  // `inspect` does not take over.
  const inspected = await site.handler.uploads.inspect(id)
  expect([inspected.offset, inspected.finished]).toEqual([5, false])
  await server.kill()
  await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
  await expectOnly(site, id, 9, 'hello')
})

test('R-130 unverified bytes on the disk do not count when another server takes over', async () => {
  const directory = await temporaryDirectory()
  const server = await startServer({ directory, lease: 3_000 })
  const composer = fileComposer(directory)
  new FileLocker({ directory, lease: 3_000 }).useIn(composer)
  const site = await serve({ composer })
  const url = await draft9.started(server, 'hello')
  const { reply } = openRequest(
    draft9.appending(url, 5, ' world', { ...draft9.end, ...claim, ...chunked }),
  )
  const id = url.split('/').at(-1)!
  await untilOnDisk(directory, id, 11)
  await expectOnly(site, id, 9, 'hello')
  await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
})

/** Kills a server that has verified an append, before it responds, and starts another one. */
async function killedBeforeTheResponse(body: string, says: Fields) {
  const directory = await temporaryDirectory()
  const server = await startServer({ directory, stop: 'after verifiedAppender.appendVerified' })
  const url = await draft9.started(server, 'hello')
  const { request, reply } = openRequest(draft9.appending(url, 5, body, { ...says, ...claim }))
  request.end()
  await server.stopped
  await server.kill()
  await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
  const site = await serve({ composer: fileComposer(directory) })
  return { site, url: url.replace(server.origin, site.origin) }
}

test('R-130 bytes that matched count, although the server was killed before it could respond', async () => {
  const { url } = await killedBeforeTheResponse(' world', draft9.more)
  expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '11', ...draft9.more })
  expect((await draft9.append(url, 11, '', draft9.end)).status).toBe(201)
  expect(await download(url)).toBe('hello world')
})

test('R-130 bytes that differed do not count, although the server was killed before it could respond', async () => {
  const { site, url } = await killedBeforeTheResponse(' WORLD', draft9.end)
  await expectOnly(site, idOf(url), 9, 'hello')
})

/** Where a server can die that has all bytes and has to verify the digest of the whole content. */
const stops = ['before contentReader.read', 'after contentReader.read', 'in preFinish'] as const

describe('R-131 a digest of the whole content outlives the server that received it', () => {
  async function crash(stop: string, text: string) {
    const directory = await temporaryDirectory()
    const options: ServerOptions = { directory, stop, preFinish: true }
    const server = await startServer(options)
    const url = await draft9.started(server, 'hello', { 'repr-digest': digest(text) })
    const { request, reply } = openRequest(draft9.appending(url, 5, ' world', draft9.end))
    request.end()
    await server.stopped
    await server.kill()
    await expect(reply).rejects.toMatchObject({ code: 'ECONNRESET' })
    const asked: string[] = []
    const hooks = {
      preFinish: ({ upload }: { upload: { id: string } }) => void asked.push(upload.id),
    }
    const site = await serve({ composer: fileComposer(directory), hooks })
    return { url: url.replace(server.origin, site.origin), asked, directory }
  }

  test.each(stops)('R-131 a match finishes the upload after a crash %s', async (stop) => {
    const { url, asked } = await crash(stop, 'hello world')
    expect(await draft9.stateOf(url)).toMatchObject({ 'upload-offset': '11', ...draft9.end })
    expect(asked).toHaveLength(1)
    expect(await download(url)).toBe('hello world')
  })

  test.each(stops.slice(0, 2))(
    'R-131 a mismatch rejects the upload after a crash %s',
    async (stop) => {
      const { url, asked, directory } = await crash(stop, 'hello there')
      for (const reply of [
        await draft9.ask('HEAD', url),
        await draft9.append(url, 11, '', draft9.end),
      ]) {
        expect([reply.status, reply.headers['upload-complete']]).toEqual([400, '?1'])
      }
      expect((await send({ method: 'GET', url })).status).toBe(400)
      expect(asked).toEqual([])
      // The rejection outlives the server as well.
      const next = await serve({ composer: fileComposer(directory) })
      const again = await draft9.ask('HEAD', `${next.origin}${new URL(url).pathname}`)
      expect([again.status, again.headers['upload-complete']]).toEqual([400, '?1'])
    },
  )

  test('R-131 a server that continues an upload verifies the digest that another received', async () => {
    const directory = await temporaryDirectory()
    const first = await startServer({ directory })
    for (const [text, status] of [
      ['hello there', 400],
      ['hello world', 201],
    ] as const) {
      const fields = { ...draft9.more, 'repr-digest': digest(text) }
      const { headers } = await draft9.create(first, 'hello', fields)
      const site = await serve({ composer: fileComposer(directory) })
      const url = new URL(headers.location!, site.origin).href
      const reply = await draft9.append(url, 5, ' world', draft9.end)
      expect([reply.status, reply.headers['upload-complete']]).toEqual([status, '?1'])
    }
  })
})
