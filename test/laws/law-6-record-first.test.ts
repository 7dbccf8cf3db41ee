import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import {
  createUpload,
  fileComposer,
  head,
  namesIn,
  patch,
  remove,
  send,
  serve,
  temporaryDirectory,
  tus,
} from '../support/serve.js'
import { startServer } from '../support/server-process.js'
import { keptLog, storeWith } from '../support/stages.js'

const hour = 3_600_000
afterEach(() => void vi.useRealTimers())

const { signal } = new AbortController()

/** Returns the ids of the records in a directory. */
async function recordsIn(directory: string): Promise<string[]> {
  const ids: string[] = []
  for await (const id of new FileInfoStore({ directory }).ids({ signal })) ids.push(id)
  return ids
}

/** Starts a new server on the directory of a killed one. */
function restart(directory: string) {
  return serve({
    composer: fileComposer(directory),
    expiration: { after: hour },
    logger: keptLog(),
  })
}

async function expectExpiryToClear(directory: string): Promise<void> {
  const site = await restart(directory)
  vi.setSystemTime(Date.now() + 48 * hour)
  await site.handler.uploads.removeExpired()
  expect(await namesIn(directory)).toEqual([])
}

describe('killed while creating', () => {
  test.each([
    ['before infoStore.create', 0],
    ['after infoStore.create', 1],
    ['before dataStore.create', 1],
    ['after dataStore.create', 1],
  ])('%s: expiry removes everything', async (stop, records) => {
    const directory = await temporaryDirectory()
    const server = await startServer({ directory, stop, expiration: { after: hour } })
    const lost = createUpload(server).catch(() => 'lost')
    await server.stopped
    // The record leads to everything in storage.
    const ids = await recordsIn(directory)
    expect(ids.length).toBe(records)
    const data = (await readdir(directory)).filter((name) => !name.startsWith('.'))
    for (const name of data) expect(ids).toContain(name)
    await server.kill()
    expect(await lost).toBe('lost')
    await expectExpiryToClear(directory)
  })
})

describe('killed while bytes are finished', () => {
  test.each([
    ['before dataStore.append', { finisher: true }, 0],
    ['after dataStore.append', { finisher: true }, 5],
    ['before finisher.finish', { finisher: true }, 5],
    ['after finisher.finish', { finisher: true }, 5],
    ['in preFinish', { preFinish: true }, 5],
    ['before infoStore.update', { preFinish: true }, 5],
    ['after infoStore.update', { preFinish: true }, 5],
  ])('%s: the next server continues from there', async (stop, options, offset) => {
    const directory = await temporaryDirectory()
    const server = await startServer({ directory, stop, expiration: { after: hour }, ...options })
    const url = await createUpload(server, { 'upload-length': '5' })
    const lost = patch(url, 0, 'hello').catch(() => 'lost')
    await server.stopped
    await server.kill()
    expect(await lost).toBe('lost')

    const site = await restart(directory)
    const again = url.replace(server.origin, site.origin)
    const reply = await head(again)
    expect([reply.status, reply.headers['upload-offset']]).toEqual([200, String(offset)])
    if (offset === 0) expect((await patch(again, 0, 'hello')).status).toBe(204)
    // A full upload does not expire.
    vi.setSystemTime(Date.now() + 48 * hour)
    expect(await site.handler.uploads.removeExpired()).toBe(0)
    expect((await send({ method: 'GET', url: again })).text).toBe('hello')
    expect((await remove(again)).status).toBe(204)
    await site.server.stop()
    expect(await namesIn(directory)).toEqual([])
  })

  test('the next server finishes a full upload at its start, without a request for it', async () => {
    const directory = await temporaryDirectory()
    const server = await startServer({ directory, stop: 'in preFinish', preFinish: true })
    const url = await createUpload(server, { 'upload-length': '5' })
    const lost = patch(url, 0, 'hello').catch(() => 'lost')
    await server.stopped
    await server.kill()
    await lost
    const events: string[] = []
    const site = await serve({
      composer: fileComposer(directory),
      hooks: {
        preFinish: ({ event }) => void events.push(event.id),
        postFinish: ({ event }) => void events.push(event.id),
      },
    })
    expect(await site.handler.uploads.finishPending()).toBe(1)
    await site.server.stop()
    const id = url.split('/').at(-1)!
    expect(events).toEqual([`${id}/pre-finish`, `${id}/post-finish`])
  })
})

describe('killed while removing', () => {
  test.each([
    ['after infoStore.update', 1],
    ['before terminator.terminate', 1],
    ['after terminator.terminate', 0],
    ['before infoStore.delete', 0],
  ])('%s: gone for clients, and the removal is completed', async (stop, files) => {
    for (const complete of ['expiry', 'DELETE']) {
      const directory = await temporaryDirectory()
      const server = await startServer({ directory, stop, expiration: { after: hour } })
      const url = await createUpload(server)
      await patch(url, 0, 'hello')
      const lost = remove(url).catch(() => 'lost')
      await server.stopped
      // As long as there is data, there is a record.
      expect((await readdir(directory)).filter((name) => !name.startsWith('.')).length).toBe(files)
      expect(await recordsIn(directory)).toEqual([url.split('/').at(-1)])
      await server.kill()
      await lost

      const site = await restart(directory)
      const again = url.replace(server.origin, site.origin)
      expect((await head(again)).status).toBe(410)
      expect((await patch(again, 5, ' world')).status).toBe(410)
      if (complete === 'expiry') expect(await site.handler.uploads.removeExpired()).toBe(1)
      else expect((await remove(again)).status).toBeOneOf([204, 404, 410])
      expect(await namesIn(directory)).toEqual([])
    }
  })

  test('while expiry removes: the next expiry completes it', async () => {
    const directory = await temporaryDirectory()
    const maker = await startServer({ directory, expiration: { after: 1 } })
    await createUpload(maker)
    await maker.kill()
    const server = await startServer({
      directory,
      stop: 'before terminator.terminate',
      expiration: { after: 1, sweepEvery: 10 },
    })
    await server.stopped
    await server.kill()
    await expectExpiryToClear(directory)
  })
})

test('a removal that the storage refuses is completed by the next DELETE', async () => {
  const directory = await temporaryDirectory()
  const composer = fileComposer(directory)
  const terminator = composer.slots().terminator!
  let refusals = 1
  composer.useTerminator({
    async terminate(upload, options) {
      if (refusals-- > 0) throw new Error('EIO')
      await terminator.terminate(upload, options)
    },
  })
  const site = await serve({ composer, logger: keptLog() })
  const url = await createUpload(site)
  expect((await remove(url)).status).toBe(500)
  expect((await head(url)).status).toBe(410)
  expect((await remove(url)).status).toBeOneOf([204, 404, 410])
  await site.server.stop()
  expect(await namesIn(directory)).toEqual([])
})

test('a creation that the storage refuses leaves nothing behind', async () => {
  const directory = await temporaryDirectory()
  const composer = fileComposer(directory)
  const store = composer.slots().dataStore!
  composer.useDataStore(
    storeWith(store, {
      async create(upload, options) {
        await store.create(upload, options)
        throw new Error('EIO')
      },
    }),
  )
  const site = await serve({ composer, logger: keptLog() })
  const reply = await send({
    method: 'POST',
    url: `${site.origin}/files`,
    headers: { ...tus, 'upload-length': '5' },
  })
  expect([reply.status, reply.headers.location]).toEqual([500, undefined])
  expect(await namesIn(directory)).toEqual([])
})

test('a creation does not touch data of others at its place', async () => {
  const directory = await temporaryDirectory()
  const composer = fileComposer(directory)
  new FileStore({ directory, locate: 'shared/{id}' }).useIn(composer)
  const site = await serve({ composer, generateId: () => 'taken', logger: keptLog() })
  await mkdir(join(directory, 'shared'))
  await writeFile(join(directory, 'shared', 'taken'), 'precious')
  const reply = await send({
    method: 'POST',
    url: `${site.origin}/files`,
    headers: { ...tus, 'upload-length': '5' },
  })
  expect(reply.status).toBe(422)
  expect(await namesIn(directory)).toEqual(['shared', 'shared/taken'])
})

test('rejected uploads are removed once their rejection may be forgotten', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({
    composer: fileComposer(directory),
    hooks: { preFinish: () => ({ reject: true }) },
  })
  const url = await createUpload(site, { 'upload-length': '5' })
  expect((await patch(url, 0, 'hello')).status).toBe(400)
  expect(await site.handler.uploads.removeExpired()).toBe(0)
  vi.setSystemTime(Date.now() + 48 * hour)
  expect(await site.handler.uploads.removeExpired()).toBe(1)
  expect(await namesIn(directory)).toEqual([])
})
