import { describe, expect, test } from 'vitest'
import { createPartial, concat, createFinal } from '../requirements/tus/parts.js'
import { createUpload, download, head, patch, remove, untilOffset } from '../support/serve.js'
import { createOf, inners, serveLimited, tryToCreate } from './limited.js'

describe.each(inners)('concatenation, in $medium', ({ open }) => {
  test('uses space in addition to the partial uploads, which keep theirs', async () => {
    const site = await serveLimited({ ...(await open()), limit: 22 })
    const parts = [await createPartial(site, 'hello '), await createPartial(site, 'world')]
    const final = await createFinal(site, ...parts)
    expect(site.counter.used).toBe(22)
    expect(await concat(site, parts.join(' '))).toMatchObject({
      status: 507,
      text: expect.stringMatching(/^ERR_STORAGE_FULL/),
    })
    for (const part of parts) expect((await remove(part)).status).toBe(204)
    expect(site.counter.used).toBe(11)
    expect(await download(final)).toBe('hello world')
  })

  test('reserves its space before the partial uploads are complete', async () => {
    const site = await serveLimited({ ...(await open()), limit: 10 })
    const partial = { 'upload-concat': 'partial', 'upload-length': '5' }
    const part = await createUpload(site, partial)
    const final = await createFinal(site, part)
    expect((await tryToCreate(site, 1)).status).toBe(507)
    expect((await patch(part, 0, 'hello')).status).toBe(204)
    await untilOffset(final, 5)
    expect(site.counter.used).toBe(10)
  })

  test('of lengths that are declared later waits until there is space', async () => {
    const site = await serveLimited({ ...(await open()), limit: 10 })
    const partial = { 'upload-concat': 'partial', 'upload-defer-length': '1' }
    const part = await createUpload(site, partial)
    const final = await createFinal(site, part)
    const other = await createOf(site, 3)
    expect((await patch(part, 0, 'hello', { 'upload-length': '5' })).status).toBe(204)
    expect((await head(final)).status).toBe(423)
    expect(site.counter.used).toBe(8)
    await remove(other)
    await untilOffset(final, 5)
    expect(await download(final)).toBe('hello')
    expect(site.counter.used).toBe(10)
  })
})
