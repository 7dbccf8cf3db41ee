import { mkdir, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Handler, Upload } from 'tuskit'
import { inners, serveLimited, tryToCreate } from '../limited-store/limited.js'
import {
  createUpload,
  download,
  fileComposer,
  head,
  idOf,
  patch,
  post,
  remove,
  send,
  serve,
  stores,
  temporaryDirectory,
  until,
} from '../support/serve.js'
import { newGate } from '../support/stages.js'

async function finished(site: { origin: string }, headers = {}): Promise<string> {
  const { headers: created } = await post(site, { 'upload-length': '5', ...headers }, 'hello')
  return site.origin + created.location
}

/** Returns the files of an upload in a directory. */
async function namesOf(directory: string, url: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.includes(idOf(url)))
}

test('a file that postFinish moves and detaches belongs to the application', async () => {
  const directory = await temporaryDirectory()
  const library = join(directory, '.library')
  await mkdir(library)
  const done = newGate()
  const called: string[] = []
  const site = await serve({
    composer: fileComposer(directory),
    hooks: {
      async postFinish({ upload }) {
        await rename(join(directory, upload.storage.at.path!), join(library, upload.id))
        await site.handler.uploads.detach(upload.id)
        await done.pass()
      },
      preTerminate: () => void called.push('pre-terminate'),
      postTerminate: () => void called.push('post-terminate'),
    },
  })
  const url = await finished(site)
  await done.reached
  done.open()
  expect(await readFile(join(library, idOf(url)), 'utf8')).toBe('hello')
  const replies = [
    await head(url),
    await send({ method: 'GET', url }),
    await patch(url, 5, ''),
    await remove(url),
  ]
  expect(replies.map(({ status }) => status)).toEqual([404, 404, 404, 404])
  expect(await namesOf(directory, url)).toEqual([])
  expect(called).toEqual([])
})

test.each(stores)('the data remains at the recorded place, $store store', async ({ compose }) => {
  const composer = await compose()
  const { handler, ...site } = await serve({ composer })
  const url = await finished(site)
  const upload = await handler.uploads.detach(idOf(url))
  expect((await head(url)).status).toBe(404)
  const { signal } = new AbortController()
  expect(await composer.slots().dataStore!.stat(upload, { signal })).toMatchObject({ offset: 5 })
  await expect(handler.uploads.detach(upload.id)).rejects.toMatchObject({
    code: 'ERR_UPLOAD_NOT_FOUND',
  })
})

test('an upload whose file was moved before a crash is detached after it', async () => {
  const directory = await temporaryDirectory()
  const moved = newGate()
  const hooks = {
    async postFinish({ upload }: { upload: Upload }) {
      await rename(join(directory, upload.storage.at.path!), join(directory, '.moved'))
      await moved.pass()
    },
  }
  const url = await finished(await serve({ composer: fileComposer(directory), hooks }))
  await moved.reached
  moved.open()
  const { handler } = await serve({ composer: fileComposer(directory), hooks })
  await handler.uploads.detach(idOf(url))
  expect(await namesOf(directory, url)).toEqual([])
  expect(await readFile(join(directory, '.moved'), 'utf8')).toBe('hello')
})

test('an upload that is unfinished, or still needed, is not detached', async () => {
  const { handler, ...site } = await serve()
  const codeOf = (url: string) =>
    handler.uploads.detach(idOf(url)).then(
      () => 'none',
      (error: { code?: string }) => error.code,
    )
  const unfinished = await createUpload(site)
  const [one, two] = [
    await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' }),
    await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' }),
  ]
  const final = await createUpload(site, { 'upload-concat': `final;${one} ${two}` })
  await patch(one, 0, 'hello')
  expect(await codeOf('unknown')).toBe('ERR_UPLOAD_NOT_FOUND')
  expect(await codeOf(unfinished)).toBe('ERR_UPLOAD_NOT_FINISHED')
  expect(await codeOf(one)).toBe('ERR_UPLOAD_REFERENCED')
  await patch(two, 0, 'world')
  await until(
    () => head(final),
    ({ headers }) => headers['upload-offset'] === '10',
  )
  expect(await codeOf(one)).toBe('none')
  expect(await download(final)).toBe('helloworld')
  expect((await patch(unfinished, 0, 'hello world')).status).toBe(204)
})

test('a termination does not wait for a hook that detaches its upload', async () => {
  const requested = newGate()
  const outcome: { detaching?: Promise<unknown> } = {}
  const site: { handler: Handler; origin: string } = await serve({
    lockTimeout: 2_000_000_000,
    hooks: {
      async postFinish({ upload }) {
        await requested.pass()
        outcome.detaching = site.handler.uploads.detach(upload.id)
        await outcome.detaching.catch(() => {})
      },
    },
  })
  const url = await finished(site)
  await requested.reached
  expect((await remove(url)).status).toBe(204)
  requested.open()
  await until(
    () => head(url),
    ({ status }) => status === 404,
  )
  await expect(outcome.detaching).rejects.toMatchObject({ code: 'ERR_UPLOAD_GONE' })
})

test.each(inners)('LimitedStore no longer counts it, $medium', async ({ open }) => {
  const { handler, ...site } = await serveLimited(await open())
  const url = await finished(site)
  expect((await tryToCreate(site, 7)).status).toBe(507)
  await handler.uploads.detach(idOf(url))
  expect((await tryToCreate(site, 7)).status).toBe(201)
})
