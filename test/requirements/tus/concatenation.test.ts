import { describe, expect, test } from 'vitest'
import {
  chunk,
  createUpload,
  download,
  head,
  patch,
  post,
  send,
  serve,
  stores,
  tus,
} from '../../support/serve.js'
import { concat, createFinal, createPartial } from './parts.js'

describe.each(stores)('concatenation ($store store)', ({ compose }) => {
  test('T-160 a partial upload takes data like any other, but runs no finish hooks', async () => {
    const events: string[] = []
    const site = await serve({
      composer: await compose(),
      hooks: {
        preFinish: ({ event }) => void events.push(event.type),
        postFinish: ({ event }) => void events.push(event.type),
      },
    })
    const known = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
    const deferred = await createUpload(site, {
      'upload-defer-length': '1',
      'upload-concat': 'partial',
    })
    for (const url of [known, deferred]) {
      expect((await patch(url, 0, 'he')).headers['upload-offset']).toBe('2')
      expect((await patch(url, 0, 'he')).status).toBe(409)
      const last = await patch(url, 2, 'llo', { 'upload-length': '5' })
      expect([last.status, last.headers['upload-offset']]).toEqual([204, '5'])
      expect((await patch(url, 5, '!')).status).toBe(413)
    }
    await site.server.stop()
    expect(events).toEqual([])
  })

  test('T-161 a final upload consists of its parts, in the order of the list', async () => {
    const site = await serve({ composer: await compose() })
    const [b, a, c] = [
      await createPartial(site, 'b'.repeat(100_000)),
      await createPartial(site, 'a'),
      await createPartial(site, 'ccc'),
    ]
    const reply = await concat(site, `${a} ${b} ${c}`)
    expect(reply.status).toBe(201)
    const url = new URL(reply.headers.location!, site.origin).href
    expect(await download(url)).toBe(`a${'b'.repeat(100_000)}ccc`)
    expect((await head(url)).headers).toMatchObject({
      'upload-length': '100004',
      'upload-offset': '100004',
    })
  })

  test('T-164 a PATCH of a final upload gets 403 and changes nothing', async () => {
    const site = await serve({ composer: await compose() })
    const [whole, unfinished] = [
      await createPartial(site, 'hello'),
      await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' }),
    ]
    const finals = [await createFinal(site, whole), await createFinal(site, whole, unfinished)]
    for (const url of finals) {
      for (const [offset, body] of [
        [0, 'x'],
        [5, 'x'],
        [5, ''],
        [99, 'x'],
      ] as const) {
        const reply = await patch(url, offset, body)
        expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([403, 'ERR_FINAL_UPLOAD'])
      }
      const wrongType = await patch(url, 0, 'x', { 'content-type': 'text/plain' })
      expect(wrongType.status).toBe(415)
      expect((await patch(url, 0, 'x', { 'tus-resumable': '0.2.2' })).status).toBe(412)
    }
    expect(await download(finals[0]!)).toBe('hello')
    expect((await head(whole)).headers['upload-offset']).toBe('5')
    expect((await head(unfinished)).headers['upload-offset']).toBe('0')
  })

  test('T-165 HEAD of a partial upload reports its offset, its length if known, and its kind', async () => {
    const site = await serve({ composer: await compose() })
    const url = await createPartial(site, 'hello')
    expect((await head(url)).headers).toMatchObject({
      'upload-concat': 'partial',
      'upload-offset': '5',
      'upload-length': '5',
    })
    const deferred = await createUpload(site, {
      'upload-concat': 'partial',
      'upload-defer-length': '1',
    })
    const { headers } = await head(deferred)
    expect(headers).toMatchObject({ 'upload-concat': 'partial', 'upload-offset': '0' })
    expect(headers).not.toHaveProperty('upload-length')
  })

  test('T-166 HEAD of a final upload reports Upload-Concat exactly as received', async () => {
    const site = await serve({ composer: await compose() })
    const [one, two] = [await createPartial(site, 'hello'), await createPartial(site, ' world')]
    const value = `final; ${new URL(one).pathname}   ${two}`
    const url = await createUpload(site, { 'upload-concat': value })
    expect((await head(url)).headers).toMatchObject({
      'upload-concat': value,
      'upload-length': '11',
      'upload-offset': '11',
    })
  })

  test('T-168 a final upload has its own metadata, not that of its parts', async () => {
    const site = await serve({ composer: await compose() })
    const created = await post(
      site,
      { 'upload-length': '1', 'upload-concat': 'partial', 'upload-metadata': 'part MQ==' },
      'a',
    )
    const part = created.headers.location!
    const plain = await createFinal(site, part)
    expect((await head(plain)).headers).not.toHaveProperty('upload-metadata')
    const own = await concat(site, part, { 'upload-metadata': 'whole Mg==,flag' })
    const { headers } = await head(new URL(own.headers.location!, site.origin).href)
    expect(headers['upload-metadata']).toBe('whole Mg==,flag')
  })

  test('T-169 a part may appear in a list more than once, and in several lists', async () => {
    const site = await serve({ composer: await compose() })
    const [a, b] = [await createPartial(site, 'aa'), await createPartial(site, 'b')]
    const twice = await createFinal(site, a, b, a)
    expect((await head(twice)).headers['upload-length']).toBe('5')
    expect(await download(twice)).toBe('aabaa')
    expect(await download(await createFinal(site, b, b))).toBe('bb')
    expect((await head(a)).headers['upload-offset']).toBe('2')
    expect(await download(await createFinal(site, a))).toBe('aa')
  })

  test('T-170 parts are named by absolute or relative URLs', async () => {
    const composer = await compose()
    for (const location of ['relative', 'absolute', 'https://cdn.example.com/elsewhere']) {
      const site = await serve({ composer, location })
      const { headers } = await post(
        site,
        { 'upload-length': '5', 'upload-concat': 'partial' },
        'hello',
      )
      const id = headers.location!.split('/').at(-1)!
      const names = [
        headers.location!,
        `/files/${id}`,
        `${site.origin}/files/${id}`,
        `https://host.example.com/files/${id}`,
      ]
      for (const name of names) {
        expect([name, (await concat(site, name)).status]).toEqual([name, 201])
      }
      const all = await concat(site, names.join('  '))
      const url = `${site.origin}/files/${all.headers.location!.split('/').at(-1)}`
      expect(await download(url)).toBe('hello'.repeat(4))
    }
  })

  test('T-170 relative references are resolved against the creation URL', async () => {
    const composer = await compose()
    for (const basePath of ['/files', '/files/', '/', '/a/b%20c/']) {
      const site = await serve({ composer, basePath, trustProxy: true })
      const path = basePath.replace(/\/$/, '')
      const create = (at: string, concat: string, headers = {}, body?: string) =>
        send({
          method: 'POST',
          url: site.origin + at,
          headers: { ...(body ? chunk : tus), 'upload-concat': concat, ...headers },
          ...(body && { body }),
        })
      const part = await create(`${path}/`, 'partial', { 'upload-length': '5' }, 'hello')
      const id = part.headers.location!.split('/').at(-1)!
      const last = path.split('/').at(-1)!
      const below = [id, `./${id}`, `x/../${id}`, `%${id.charCodeAt(0).toString(16)}${id.slice(1)}`]
      const alongside =
        path === '' ? below : [`${last}/${id}`, `./${last}/${id}`, `./${last}/${id}?a`]
      const list = async (at: string, names: string[], headers = {}) => {
        const { status, headers: returned } = await create(at, `final;${names.join(' ')}`, headers)
        expect([at, names, status]).toEqual([at, names, 201])
        const url = `${site.origin}${path}/${returned.location!.split('/').at(-1)}`
        expect(await download(url)).toBe('hello'.repeat(names.length))
      }
      await list(`${path}/`, below)
      await list(`${path}/?a=b/c`, below)
      await list(path === '' ? '/' : `${path}?a=b/`, alongside)
      const prefixed = { 'x-forwarded-prefix': '/api' }
      await list(`${path}/`, [id, `/api${path}/${id}`, `//host/api${path}/${id}`], prefixed)
      if (path === '') await list('/', [`../api/${id}`], prefixed)
      else await list(`${path}/`, [`../${last}/${id}`], prefixed)
    }
  })

  test('T-174 a final upload of parts without bytes is finished at once', async () => {
    const finished: string[] = []
    const site = await serve({
      composer: await compose(),
      hooks: { preFinish: ({ upload }) => void finished.push(`${upload.length}`) },
    })
    const empty = await createPartial(site, '')
    const url = await createFinal(site, empty, empty)
    expect(finished).toEqual(['0'])
    expect((await head(url)).headers).toMatchObject({ 'upload-length': '0', 'upload-offset': '0' })
    expect(await download(url)).toBe('')
  })
})

test('T-177 hundreds of parts fit into a request', async () => {
  const site = await serve({
    maxPartials: 500,
    generateId: () => `${'p'.repeat(40)}${Math.random()}`.slice(0, 55),
  })
  const urls: string[] = []
  for (let i = 0; i < 500; i++) urls.push(new URL(await createPartial(site, `${i},`)).pathname)
  const list = urls.join(' ')
  expect(list.length).toBeGreaterThan(30_000)
  const reply = await concat(site, list)
  expect(reply.status).toBe(201)
  const url = site.origin + reply.headers.location
  expect(await download(url)).toBe(urls.map((_, i) => `${i},`).join(''))
  expect((await head(url)).headers['upload-concat']).toBe(`final;${list}`)
})
