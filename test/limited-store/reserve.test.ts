import { describe, expect, test } from 'vitest'
import { createFinal, createPartial } from '../requirements/tus/parts.js'
import { draft9 } from '../requirements/ietf/draft.js'
import { createUpload, download, head, patch, post, remove } from '../support/serve.js'
import { createOf, inners, recordsOf, serveLimited, tryToCreate } from './limited.js'

describe.each(inners)('with reserve: false, in $medium', ({ open }) => {
  const site = async () => serveLimited({ ...(await open()), reserve: false })

  test('an upload that declares the whole limit and sends nothing blocks no other', async () => {
    const at = await site()
    await createOf(at, 11)
    await draft9.create(at, '', { ...draft9.more, 'upload-length': '11' })
    expect(at.counter.used).toBe(0)
    const url = await createOf(at, 11)
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    expect(at.counter.used).toBe(5)
    expect((await patch(url, 5, ' world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
    expect(at.counter.used).toBe(11)
  })

  test('a length that can never fit is refused at once', async () => {
    const at = await site()
    expect((await tryToCreate(at, 12)).status).toBe(507)
    expect((await draft9.create(at, '', { ...draft9.more, 'upload-length': '12' })).status).toBe(
      507,
    )
    expect(await recordsOf(at.composer)).toEqual([])
  })

  test('a body without space is refused, and continues once there is space', async () => {
    const at = await site()
    const [one, other] = [await createOf(at, 11), await createOf(at, 11)]
    const draft = await draft9.started(at, '12', { 'upload-length': '5' })
    expect((await patch(one, 0, 'hello')).status).toBe(204)
    expect((await patch(other, 0, '1234')).status).toBe(204)
    expect(at.counter.used).toBe(11)
    const refused = await patch(one, 5, ' world')
    expect([refused.status, refused.headers['upload-offset']]).toEqual([507, '5'])
    expect((await draft9.append(draft, 2, '345', draft9.end)).status).toBe(507)
    const sha1 = 'lDpwLQbzRZmu4fjajvn3KWAx1pk='
    const checked = await patch(one, 5, ' world', { 'upload-checksum': `sha1 ${sha1}` })
    expect([checked.status, checked.headers['upload-offset']]).toEqual([507, '5'])
    expect(at.counter.used).toBe(11)
    expect((await remove(other)).status).toBe(204)
    expect((await draft9.append(draft, 2, '345', draft9.end)).headers).toMatchObject(draft9.end)
    expect((await patch(one, 5, ' ')).status).toBe(204)
    expect((await head(one)).headers['upload-offset']).toBe('6')
    expect(at.counter.used).toBe(11)
  })

  test('a creation with bytes uses what arrived', async () => {
    const at = await site()
    expect((await post(at, { 'upload-length': '11' }, 'hello')).status).toBe(201)
    expect(at.counter.used).toBe(5)
    const refused = await post(at, { 'upload-length': '11' }, '1234567')
    expect(refused.status).toBe(507)
    expect(at.counter.used).toBe(5)
  })

  test('a final upload uses space when it is concatenated', async () => {
    const at = await site()
    const [a, b] = [await createPartial(at, 'aa'), await createUpload(at, partial(3))]
    const final = await createFinal(at, a, b)
    expect(at.counter.used).toBe(2)
    expect((await patch(b, 0, 'bbb')).status).toBe(204)
    await expect.poll(async () => (await head(final)).headers['upload-offset']).toBe('5')
    expect(await download(final)).toBe('aabbb')
    expect(at.counter.used).toBe(10)
  })

  test('the next server counts what is stored', async () => {
    const inner = { ...(await open()), reserve: false }
    const first = await serveLimited(inner)
    const url = await createOf(first, 11)
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    const next = await serveLimited(inner)
    const other = await createOf(next, 11)
    expect((await patch(other, 0, '1234567')).status).toBe(507)
    expect((await patch(other, 0, '123456')).status).toBe(204)
    expect(next.counter.used).toBe(11)
  })
})

const partial = (length: number) => ({
  'upload-length': String(length),
  'upload-concat': 'partial',
})
