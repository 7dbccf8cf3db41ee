import { describe, expect, test } from 'vitest'
import type { Upload } from 'tuskit'
import { download, send, serve, type Site, stores } from '../../support/serve.js'
import { draft9, urlIn } from './draft.js'

function recordOf({ handler }: Site, url: string): Promise<Upload> {
  return handler.uploads.inspect(url.split('/').at(-1)!).then(({ upload }) => upload)
}

describe.each(stores)('$store store', ({ compose }) => {
  test('R-032 the creation describes the content, whatever the appends declare', async () => {
    const seen: Upload[] = []
    const site = await serve({
      composer: await compose(),
      hooks: { preFinish: ({ upload }) => void seen.push(upload) },
    })
    const headers = {
      'content-type': 'image/svg+xml; charset=utf-8',
      'content-encoding': 'gzip',
      'content-language': 'de',
      'content-disposition': 'inline; filename="plan.svg"',
      authorization: 'Bearer secret',
    }
    const sent = draft9.creation(site, 'hello', { ...draft9.more, ...headers })
    const reply = await send({ ...sent, method: 'PUT', url: `${site.origin}/files?album=7` })
    const url = urlIn(reply, site)
    await draft9.append(url, 5, ' world', { ...draft9.end, 'content-language': 'fr' })
    const { authorization: _, ...kept } = headers
    const representation = { method: 'PUT', target: '/files?album=7', headers: kept }
    expect(seen.map((upload) => upload.representation)).toEqual([representation])
    expect((await recordOf(site, url)).representation).toEqual(representation)
  })
})

test('R-032 a download has the type, name, coding and language of the creation', async () => {
  const site = await serve()
  const headers = {
    'content-type': 'text/plain',
    'content-encoding': 'gzip',
    'content-language': 'de',
    'content-disposition': 'attachment; filename="notes.txt"',
  }
  const url = urlIn(await draft9.create(site, 'hello', { ...draft9.end, ...headers }), site)
  expect((await send({ method: 'GET', url })).headers).toMatchObject({
    ...headers,
    'content-disposition': 'inline; filename="notes.txt"',
  })
})

describe('R-032 the metadata of a draft upload', () => {
  const cases = [
    [
      'has a name and a type',
      { 'content-disposition': 'inline; filename="a b.txt"', 'content-type': 'text/plain' },
      { filename: 'a b.txt', filetype: 'text/plain' },
    ],
    [
      'prefers a name in UTF-8 to one in ASCII',
      { 'content-disposition': `inline; filename="_.txt"; filename*=UTF-8''%E2%98%95.txt` },
      { filename: '☕.txt' },
    ],
    [
      'has no directories',
      { 'content-disposition': 'inline; filename="../../etc/passwd"' },
      { filename: 'passwd' },
    ],
    ['has nothing that the creation does not declare', {}, {}],
    ['does not have the type of parts', { 'content-type': 'application/partial-upload' }, {}],
    [
      'prefers Upload-Metadata',
      { 'content-type': 'text/plain', 'upload-metadata': 'filetype aW1hZ2UvcG5n,owner bWU=' },
      { filetype: 'image/png', owner: 'me' },
    ],
    [
      'ignores a malformed Upload-Metadata',
      { 'content-type': 'text/plain', 'upload-metadata': '!!! ???' },
      { filetype: 'text/plain' },
    ],
  ] as const
  test.each(cases)('R-032 %s', async (_, fields, values) => {
    const site = await serve()
    const url = urlIn(await draft9.create(site, 'hello', { ...draft9.end, ...fields }), site)
    expect({ ...(await recordOf(site, url)).metadata.values }).toEqual(values)
  })
})

test('R-032 preCreate gets the description of the creation, and may replace the metadata', async () => {
  const names: unknown[] = []
  const site = await serve({
    hooks: {
      preCreate({ upload }) {
        names.push(upload.metadata.values.filename, upload.representation?.method)
        return { metadata: { filename: 'renamed.txt' } }
      },
    },
  })
  const fields = { ...draft9.end, 'content-disposition': 'inline; filename="given.txt"' }
  const url = urlIn(await draft9.create(site, 'hello', fields), site)
  expect(names).toEqual(['given.txt', 'POST'])
  const { headers } = await send({ method: 'GET', url })
  expect(headers['content-disposition']).toBe('attachment; filename="renamed.txt"')
  expect(await download(url)).toBe('hello')
})
