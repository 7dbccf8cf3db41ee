import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { download, fileComposer, post, send, serve, temporaryDirectory } from '../support/serve.js'
import { noAbort, keptLog, media, storeWith } from '../support/stages.js'

test('an id whose file the application has detached is refused before there is a record', async () => {
  const directory = await temporaryDirectory()
  const composer = fileComposer(directory)
  const site = await serve({ composer, generateId: () => 'report' })
  await post(site, { 'upload-length': '5' }, 'hello')
  await site.handler.uploads.detach('report')
  const create = vi.spyOn(composer.slots().infoStore!, 'create')
  const reply = await post(site, { 'upload-length': '10' })
  expect([reply.status, reply.text.split(':')[0]]).toEqual([422, 'ERR_DATA_EXISTS'])
  // A crash after the record would have left the file to the new upload.
  expect(create).not.toHaveBeenCalled()
  expect(await readFile(join(directory, 'report'), 'utf8')).toBe('hello')
})

describe.each(media)('with %s', (name, compose) => {
  const place: Readonly<Record<string, string>> =
    name === 'files' ? { path: 'same' } : { key: 'same' }

  async function occupied(placeOfHook: typeof place | undefined) {
    const composer = await compose()
    const store = composer.slots().dataStore!
    const broken = new Set<string>()
    const records: string[] = []
    const infoStore = composer.slots().infoStore!
    const failing = storeWith(store, {
      // The store, or the hook, chooses the place of the data.
      locate: (upload) => store.locate({ ...upload, place }),
      async create(upload, options) {
        if (broken.has('create')) throw new Error('too many open files')
        return store.create(upload, options)
      },
    })
    composer.useDataStore(failing).useInfoStore({
      create: (upload) => {
        records.push(upload.id)
        return infoStore.create(upload, noAbort)
      },
      get: (id) => infoStore.get(id, noAbort),
      update: (upload) => infoStore.update(upload, noAbort),
      delete: (id) => infoStore.delete(id, noAbort),
    })
    const hooks = placeOfHook && { preCreate: () => ({ place: placeOfHook }) }
    const site = await serve({ composer, logger: keptLog(), ...(hooks && { hooks }) })
    const { headers } = await post(site, { 'upload-length': '5' }, 'hello')
    return { site, broken, records, url: `${site.origin}${headers.location}` }
  }

  test('a creation that fails does not remove the data of another upload at its place', async () => {
    const { site, broken, url } = await occupied(undefined)
    broken.add('create')
    expect((await post(site, { 'upload-length': '5' }, 'other')).status).toBe(500)
    expect(await download(url)).toBe('hello')
  })

  test('a place that a hook chose and that is taken is refused before there is a record', async () => {
    const { site, records, url } = await occupied(place)
    const reply = await post(site, { 'upload-length': '5' }, 'other')
    expect([reply.status, reply.text.slice(0, 15)]).toEqual([422, 'ERR_DATA_EXISTS'])
    expect(records).toHaveLength(1)
    expect((await send({ method: 'GET', url })).text).toBe('hello')
  })
})
