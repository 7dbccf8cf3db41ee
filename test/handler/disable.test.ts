import { describe, expect, test } from 'vitest'
import { StoreComposer, type Feature, type HandlerOptions } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { createUpload, memoryComposer, patch, post, remove, send, serve } from '../support/serve.js'
import { offsetOf } from '../support/stages.js'

describe('disable', () => {
  const all =
    'creation,creation-with-upload,creation-defer-length,expiration,checksum,checksum-trailer,' +
    'termination,concatenation,concatenation-unfinished'

  async function extensionsOf(options: Partial<HandlerOptions>): Promise<string> {
    const site = await serve(options)
    const reply = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
    return String(reply.headers['tus-extension'] ?? '')
  }

  test('disables nothing by default, so all features of the stores are offered', async () => {
    expect(await extensionsOf({ expiration: { after: 1000 } })).toBe(all)
    expect(await extensionsOf({})).toBe(all.replace('expiration,', ''))
    const composer = new StoreComposer()
      .useDataStore(new MemoryStore())
      .useInfoStore(new MemoryInfoStore())
    expect(await extensionsOf({ composer })).toBe(
      'creation,creation-with-upload,creation-defer-length',
    )
  })

  test.each<[Feature, string[]]>([
    ['creation-with-upload', ['creation-with-upload']],
    ['creation-defer-length', ['creation-defer-length']],
    ['checksum', ['checksum', 'checksum-trailer']],
    ['checksum-trailer', ['checksum-trailer']],
    ['termination', ['termination']],
    ['concatenation', ['concatenation', 'concatenation-unfinished']],
    ['concatenation-unfinished', ['concatenation-unfinished']],
    [
      'creation',
      [
        ...['creation', 'creation-with-upload', 'creation-defer-length'],
        ...['concatenation', 'concatenation-unfinished'],
      ],
    ],
    ['download', []],
    ['ietf-draft', []],
    ['method-override', []],
  ])('%s', async (feature, gone) => {
    const left = all.split(',').filter((name) => name !== 'expiration' && !gone.includes(name))
    expect(await extensionsOf({ disable: [feature] })).toBe(left.join())
  })

  test('everything', async () => {
    const disable = [...all.split(','), 'download', 'ietf-draft'] as Feature[]
    const site = await serve({ disable })
    const reply = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
    expect(reply.headers['tus-extension']).toBeUndefined()
    expect(reply.headers['tus-checksum-algorithm']).toBeUndefined()
    expect(reply.headers['tus-version']).toBe('1.0.0')
  })

  test('refuses requests for disabled features', async () => {
    const composer = memoryComposer()
    const full = await serve({ composer })
    const finished =
      full.origin + (await post(full, { 'upload-length': '1' }, 'a')).headers.location
    const partial = await post(full, { 'upload-length': '5', 'upload-concat': 'partial' })
    const open = await createUpload(full, { 'upload-length': '5' })
    const refusing = async (feature: Feature) => {
      const site = await serve({ composer, disable: [feature] })
      return { site, at: (url: string) => url.replace(full.origin, site.origin) }
    }
    {
      const { site } = await refusing('creation')
      expect((await post(site, { 'upload-length': '1' })).status).toBe(405)
    }
    {
      const { site } = await refusing('creation-with-upload')
      expect((await post(site, { 'upload-length': '1' }, 'a')).status).toBe(400)
      expect((await post(site, { 'upload-length': '1' })).status).toBe(201)
    }
    {
      const { site } = await refusing('creation-defer-length')
      expect((await post(site, { 'upload-defer-length': '1' })).status).toBe(400)
    }
    {
      const { at } = await refusing('checksum')
      const headers = { 'upload-checksum': 'sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=' }
      expect((await patch(at(open), 0, 'hello', headers)).status).toBe(400)
      const trailer = { trailer: 'Upload-Checksum' }
      expect((await patch(at(open), 0, 'hello', trailer)).status).toBe(400)
      expect(await offsetOf(open)).toBe(0)
    }
    {
      const { at } = await refusing('termination')
      const reply = await remove(at(open))
      expect(reply.status).toBe(405)
      expect(reply.headers.allow).not.toContain('DELETE')
    }
    {
      const { site } = await refusing('concatenation')
      expect((await post(site, { 'upload-length': '1', 'upload-concat': 'partial' })).status).toBe(
        400,
      )
    }
    {
      const { site } = await refusing('concatenation-unfinished')
      const header = { 'upload-concat': `final;${partial.headers.location}` }
      expect((await post(site, header)).status).toBe(400)
    }
    {
      const { at } = await refusing('download')
      expect((await send({ method: 'GET', url: at(finished) })).status).toBe(405)
    }
    expect((await send({ method: 'GET', url: finished })).text).toBe('a')
  })
})
