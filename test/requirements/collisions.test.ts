import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  createUpload,
  download,
  head,
  offsetOf,
  openPatch,
  openRequest,
  patch,
  post,
  remove,
  send,
  serve,
  stores,
  until,
  idOf,
} from '../support/serve.js'
import { chunked, draftOf, urlIn, versions } from './ietf/draft.js'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const sha1 = (text: string) => createHash('sha1').update(text).digest('base64')
describe.each(stores)('both protocols on the same URLs, $store store', ({ compose }) => {
  const site = async () => serve({ composer: await compose(), takeoverAfter: 60_000 })

  test.each(versions)(
    'D10 having all bytes finishes a tus upload only, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const other = await createUpload(at, { 'upload-length': '5' })
      expect((await patch(other, 0, 'hello')).status).toBe(204)
      const url = await draft.started(at, 'hello', { 'upload-length': '5' })
      expect((await at.handler.uploads.inspect(idOf(other))).finished).toBe(true)
      expect((await at.handler.uploads.inspect(idOf(url))).finished).toBe(false)
      expect(await download(other)).toBe('hello')
      expect((await send({ method: 'GET', url })).text).toBe('')
      expect((await draft.append(url, 5, '', draft.end)).headers).toMatchObject(draft.end)
      expect(await download(url)).toBe('hello')
    },
  )

  test.each(versions)(
    'T-063 R-069 excess bytes get 413 in tus, but 400 in the draft, which removes the upload from version 7 on, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const other = await createUpload(at)
      const refused = await patch(other, 0, 'hello world!', { 'transfer-encoding': 'chunked' })
      expect([refused.status, await offsetOf(other)]).toEqual([413, '0'])
      expect((await patch(other, 0, 'hello world')).status).toBe(204)
      const url = await draft.started(at, '', { 'upload-length': '11' })
      const fields = { ...draft.end, ...chunked }
      const reply = await draft.append(url, 0, 'hello world!', fields)
      expect([reply.status, reply.headers]).toMatchObject([400, draft.more])
      const { status } = await draft.ask('HEAD', url)
      expect(status).toBe((version ?? 9) <= 6 ? 204 : 410)
    },
  )

  test.each(versions)(
    'T-150 R-080 R-082 DELETE has the same effect for both, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const other = await createUpload(at)
      const url = await draft.started(at, 'hello')
      expect((await remove(other)).status).toBe(204)
      expect((await draft.ask('DELETE', url)).status).toBe(204)
      for (const { status, headers } of [
        await head(other),
        await remove(other),
        await draft.ask('HEAD', url),
        await draft.ask('DELETE', url),
        await draft.append(url, 5, '', draft.end),
      ]) {
        expect(status).toBeOneOf([404, 410])
        expect(headers).not.toHaveProperty('upload-offset')
      }
    },
  )

  test.each(versions)(
    'T-190 R-101 a new request ends the one in progress and keeps its bytes, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const arrived = (url: string) =>
        until(
          () => at.handler.uploads.inspect(idOf(url)),
          ({ offset }) => offset === 5,
        )
      const other = await createUpload(at)
      const old = openPatch(other, 0, { 'content-length': '11' })
      old.request.write('hello')
      await arrived(other)
      expect((await patch(other, 5, ' world')).headers['upload-offset']).toBe('11')
      await expect(old.reply).rejects.toThrow()

      const url = await draft.started(at, '')
      const fields = { ...draft.end, 'content-length': '11' }
      const { reply } = openRequest({ ...draft.appending(url, 0, '', fields), body: 'hello' })
      await arrived(url)
      const last = await draft.append(url, 5, ' world', draft.end)
      expect(last.headers).toMatchObject({ 'upload-offset': '11', ...draft.end })
      await expect(reply).rejects.toThrow()
      for (const done of [other, url]) expect(await download(done)).toBe('hello world')
    },
  )

  test.each(versions)(
    'T-051 R-063 a wrong offset gets 409 with the right one, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const other = await createUpload(at)
      await patch(other, 0, 'hello')
      const url = await draft.started(at, 'hello')
      for (const offset of [4, 6, 99]) {
        const refused = await patch(other, offset, 'x')
        expect([refused.status, refused.headers['upload-offset']]).toEqual([409, '5'])
        expect(refused.headers).not.toHaveProperty('upload-complete')
        const reply = await draft.append(url, offset, 'x', draft.more)
        expect([reply.status, reply.headers['upload-offset']]).toEqual([409, '5'])
        expect(reply.headers).toMatchObject(draft.more)
      }
    },
  )

  test.each(versions)(
    'T-092 R-032 metadata has one shape, whichever headers it came in, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const metadata = `filename ${base64('é.txt')},filetype ${base64('text/plain')}`
      const fields = { 'upload-length': '5', 'upload-metadata': metadata }
      const other = urlIn(await post(at, fields, 'hello'), at)
      const described = {
        'content-type': 'text/plain',
        'content-disposition': "inline; filename*=UTF-8''%C3%A9.txt",
      }
      const said = [described, { 'upload-metadata': metadata }]
      const urls = [other]
      for (const says of said) {
        urls.push(urlIn(await draft.create(at, 'hello', { ...draft.end, ...says }), at))
      }
      const names = ['content-type', 'content-disposition', 'content-length'] as const
      const seen = await Promise.all(
        urls.map(async (url) => {
          const { upload } = await at.handler.uploads.inspect(idOf(url))
          const { headers } = await send({ method: 'GET', url })
          return [{ ...upload.metadata.values }, names.map((name) => headers[name])]
        }),
      )
      expect(seen[0]![0]).toEqual({ filename: 'é.txt', filetype: 'text/plain' })
      expect(seen[1]).toEqual(seen[0])
      expect(seen[2]).toEqual(seen[0])
      // A tus client gets its header back unchanged.
      expect((await head(other)).headers['upload-metadata']).toBe(metadata)
    },
  )

  test.each(versions)(
    'T-131 R-130 a digest that differs gets 460 or 400, and no byte counts, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const other = await createUpload(at)
      const url = await draft.started(at, '')
      const wrong = sha1('other')
      const refused = await patch(other, 0, 'hello', { 'upload-checksum': `sha1 ${wrong}` })
      const digest = { ...draft.more, 'content-digest': `sha=:${wrong}:` }
      const reply = await draft.append(url, 0, 'hello', digest)
      expect([refused.status, reply.status]).toEqual([460, 400])
      expect(reply.headers).toMatchObject(draft.more)
      expect(await offsetOf(other)).toBe('0')
      expect((await draft.stateOf(url))['upload-offset']).toBe('0')
      const right = { ...draft.more, 'content-digest': `sha=:${sha1('hello')}:` }
      expect((await draft.append(url, 0, 'hello', right)).headers['upload-offset']).toBe('5')
      const checksum = { 'upload-checksum': `sha1 ${sha1('hello')}` }
      expect((await patch(other, 0, 'hello', checksum)).headers['upload-offset']).toBe('5')
    },
  )

  test.each(versions)(
    'T-050 R-023 R-064 R-065 a request that sends bytes gets the offset, version %s',
    async (version) => {
      const draft = draftOf(version)
      const at = await site()
      const first = await draft.create(at, 'hello', draft.more)
      const url = urlIn(first, at)
      const replies = [
        first,
        await draft.append(url, 5, ' ', draft.more),
        await draft.append(url, 6, '', draft.more),
        await draft.append(url, 6, 'world', draft.end),
        await draft.create(at, 'hello world', draft.end),
        await draft.create(at, '', draft.more),
      ]
      const offsets = replies.map(({ headers }) => headers['upload-offset'])
      expect(offsets).toEqual(['5', '6', '6', '11', '11', '0'])
      const other = await createUpload(at)
      expect((await patch(other, 0, 'hello')).headers['upload-offset']).toBe('5')
      expect((await patch(other, 5, ' world')).headers['upload-offset']).toBe('11')
      const whole = await post(at, { 'upload-length': '5' }, 'hello')
      expect(whole.headers['upload-offset']).toBe('5')
    },
  )
})
