import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { StoreComposer, type ListedUpload, type Upload } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { uploadOf } from '../file-store/stage.js'
import { createUpload, fileComposer, idOf, patch, remove, serve, stores } from '../support/serve.js'
import { temporaryDirectory } from '../support/serve.js'
import { noAbort } from '../support/stages.js'

async function collected(uploads: AsyncIterable<ListedUpload>): Promise<ListedUpload[]> {
  const all: ListedUpload[] = []
  for await (const upload of uploads) all.push(upload)
  return all
}

const idsOf = (found: readonly ListedUpload[]) => found.map(({ id }) => id)
const at = '2026-03-04T05:06:07.000Z'

describe.each(stores)('uploads.list with the $store store', ({ compose }) => {
  test('lists nothing when there is no upload', async () => {
    const { handler } = await serve({ composer: await compose() })
    expect(await collected(handler.uploads.list())).toEqual([])
  })

  test('lists 1,500 uploads once, all at once or in pages', async () => {
    const composer = await compose()
    const { infoStore } = composer.slots()
    const ids = Array.from({ length: 1500 }, (_, i) => `u${i}`).sort()
    for (const id of ids) {
      const state = { kind: 'finished', at } as const
      await infoStore!.create(uploadOf(id, { length: 5, state }), noAbort)
    }
    const { uploads } = (await serve({ composer })).handler
    expect(idsOf(await collected(uploads.list()))).toEqual(ids)
    const pages: string[][] = []
    for (let after: string | undefined; pages.at(-1)?.length !== 0; after = pages.at(-1)!.at(-1)) {
      const options = { limit: 400, ...(after !== undefined && { after }) }
      pages.push(idsOf(await collected(uploads.list(options))))
    }
    expect(pages.map(({ length }) => length)).toEqual([400, 400, 400, 300, 0])
    expect(pages.flat()).toEqual(ids)
  })

  test('returns the state and offset of each upload, and filters by state', async () => {
    const site = await serve({ composer: await compose() })
    const { uploads } = site.handler
    const create = () => createUpload(site, { 'upload-length': '5' })
    const [empty, some, full, removed] = [
      await create(),
      await create(),
      await create(),
      await create(),
    ]
    await patch(some, 0, 'hel')
    await patch(full, 0, 'hello')
    await remove(removed)
    const found = await collected(uploads.list())
    const expected = [
      { id: idOf(empty), state: 'open', offset: 0, upload: expect.objectContaining({ length: 5 }) },
      { id: idOf(some), state: 'open', offset: 3, upload: expect.anything() },
      { id: idOf(full), state: 'finished', offset: 5, upload: expect.anything() },
    ].sort((a, b) => (a.id < b.id ? -1 : 1))
    expect(found).toEqual(expected)
    const open = expected.filter(({ state }) => state === 'open')
    expect(await collected(uploads.list({ state: 'open' }))).toEqual(open)
    expect(await collected(uploads.list({ state: 'open', limit: 1 }))).toEqual(open.slice(0, 1))
    expect(await collected(uploads.list({ state: 'open', limit: Infinity }))).toEqual(open)
    expect(idsOf(await collected(uploads.list({ state: 'finished' })))).toEqual([idOf(full)])
    expect(await collected(uploads.list({ state: 'gone' }))).toEqual([])
  })

  test('shows every state, and no secrets', async () => {
    const composer = await compose()
    const { dataStore, infoStore } = composer.slots()
    const response = { status: 400, headers: {}, body: '' }
    const records: Partial<Upload>[] = [
      { state: { kind: 'rejected', at, response } },
      { state: { kind: 'gone', at, cause: 'expired' } },
      {},
    ]
    for (const [i, fields] of records.entries()) {
      const upload = uploadOf(`a${i}`, fields)
      const storage = { ...dataStore!.locate(upload), secret: 'hidden' }
      await infoStore!.create({ ...upload, storage }, noAbort)
    }
    const { uploads } = (await serve({ composer })).handler
    const found = await collected(uploads.list())
    expect(found.map(({ state }) => state)).toEqual(['rejected', 'gone', 'open'])
    expect(JSON.stringify(found)).not.toContain('hidden')
  })

  test('continues while uploads are created and removed', async () => {
    const composer = await compose()
    const infoStore = composer.slots().infoStore!
    const ids = Array.from({ length: 100 }, (_, i) => `u${100 + i}`)
    for (const id of ids) await infoStore.create(uploadOf(id), noAbort)
    const { uploads } = (await serve({ composer })).handler
    const found: string[] = []
    for await (const { id } of uploads.list()) {
      found.push(id)
      if (id !== 'u100') continue
      await infoStore.delete('u199', noAbort)
      await infoStore.create(uploadOf('u150x'), noAbort)
      await infoStore.update(uploadOf('u160', { revision: 2, length: 7 }), noAbort)
    }
    expect(found.filter((id) => id !== 'u150x')).toEqual(ids.slice(0, -1))
  })

  test('ends when its signal aborts', async () => {
    const composer = await compose()
    for (const id of ['a', 'b']) await composer.slots().infoStore!.create(uploadOf(id), noAbort)
    const { uploads } = (await serve({ composer })).handler
    const abort = new AbortController()
    const listing = async () => {
      for await (const _ of uploads.list({ signal: abort.signal })) abort.abort(new Error('enough'))
    }
    await expect(listing()).rejects.toThrow('enough')
  })
})

test('uploads.list includes unreadable uploads, and the others', async () => {
  const directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory) })
  const ids = [idOf(await createUpload(site)), idOf(await createUpload(site))]
  const path = join(directory, `.${ids[0]}.info`)
  await writeFile(path, (await readFile(path, 'utf8')).replace(':11', ':12'))
  await writeFile(join(directory, '.torn.info'), '')
  const found = await collected(site.handler.uploads.list())
  expect(idsOf(found)).toEqual([...ids, 'torn'].sort())
  const error = expect.objectContaining({ code: 'ERR_INFO_CORRUPT' })
  expect(await collected(site.handler.uploads.list({ state: 'unreadable' }))).toEqual(
    [ids[0]!, 'torn'].sort().map((id) => ({ id, state: 'unreadable', error })),
  )
})

test('uploads.list checks its options, and needs an InfoLister', async () => {
  const { uploads } = (await serve()).handler
  expect(() => uploads.list({ limit: 0 })).toThrow(
    new TypeError(
      "uploads.list: option 'limit' must be a whole number, more than 0, or Infinity, not 0",
    ),
  )
  expect(() => uploads.list({ state: 'lost' as 'gone' })).toThrow(TypeError)
  const composer = new StoreComposer()
    .useDataStore(new MemoryStore())
    .useInfoStore(new MemoryInfoStore())
  const site = await serve({ composer })
  expect(() => site.handler.uploads.list()).toThrow(
    expect.objectContaining({
      code: 'ERR_NOT_SUPPORTED',
      message: expect.stringContaining('InfoLister'),
    }),
  )
})
