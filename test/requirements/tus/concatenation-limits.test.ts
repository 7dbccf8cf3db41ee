import { describe, expect, test } from 'vitest'
import {
  createUpload,
  download,
  head,
  idOf,
  patch,
  send,
  serve,
  stores,
  tus,
} from '../../support/serve.js'
import { concat, createFinal, createPartial } from './parts.js'

const { signal } = new AbortController()

const codeOf = ({ status, text }: { status: number; text: string }) => [
  status,
  text.split(':', 1)[0],
]

describe.each(stores)('limits of concatenation ($store store)', ({ compose }) => {
  test('T-177 a final upload of more than maxPartials parts is refused, each mention counted', async () => {
    const composer = await compose()
    const site = await serve({ composer, maxPartials: 3 })
    const [a, b] = [await createPartial(site, 'a'), await createPartial(site, 'b')]
    for (const list of [`${a} ${b} ${a} ${b}`, `${a} ${a} ${a} ${a}`]) {
      const reply = await concat(site, list)
      expect(codeOf(reply)).toEqual([400, 'ERR_TOO_MANY_PARTIALS'])
      expect(reply.headers).not.toHaveProperty('location')
    }
    expect((await composer.slots().infoStore!.get(idOf(a), { signal }))!.concat).toMatchObject({
      finals: [],
    })
    expect(await download(await createFinal(site, a, b, a))).toBe('aba')
  })

  test('T-177 by default, a hundred parts are accepted, and no more', async () => {
    const site = await serve({ composer: await compose() })
    const part = await createPartial(site, 'ab')
    const list = (count: number) => Array.from({ length: count }, () => part).join(' ')
    expect((await concat(site, list(100))).status).toBe(201)
    expect(codeOf(await concat(site, list(101)))).toEqual([400, 'ERR_TOO_MANY_PARTIALS'])
  })

  test('T-177 at most maxFinals final uploads wait for a part, and a refused one leaves nothing', async () => {
    const composer = await compose()
    const site = await serve({ composer, maxFinals: 2 })
    const whole = await createPartial(site, 'hello')
    const other = await createUpload(site, { 'upload-length': '1', 'upload-concat': 'partial' })
    const finals = [await createFinal(site, whole, other), await createFinal(site, other)]
    const { infoStore, infoLister } = composer.slots()
    const records = async () => {
      const ids: string[] = []
      for await (const id of infoLister!.ids({ signal })) ids.push(id)
      return ids.length
    }
    expect(codeOf(await concat(site, `${whole} ${other}`))).toEqual([400, 'ERR_TOO_MANY_FINALS'])
    expect(await records()).toBe(4)
    expect((await send({ method: 'DELETE', url: finals[1]!, headers: tus })).status).toBe(204)
    const third = await createFinal(site, whole, other)
    expect(codeOf(await concat(site, other))).toEqual([400, 'ERR_TOO_MANY_FINALS'])
    expect((await patch(other, 0, '!')).status).toBe(204)
    for (const url of [finals[0]!, third]) {
      await expect.poll(async () => (await head(url)).headers['upload-offset']).toBe('6')
      expect(await download(url)).toBe('hello!')
    }
    const again = await createFinal(site, other, whole)
    expect(await download(again)).toBe('!hello')
    expect((await infoStore!.get(idOf(other), { signal }))!.concat).toEqual({
      kind: 'partial',
      finals: [idOf(again)],
    })
  })

  test('T-177 repeating a request more than maxFinals times leaves the records of its parts small', async () => {
    const composer = await compose()
    const site = await serve({ composer })
    const parts = [await createPartial(site, 'a'), await createPartial(site, 'b')]
    for (let i = 0; i < 120; i++) {
      const reply = await concat(site, parts.join(' '))
      expect(reply.status).toBe(201)
    }
    for (const part of parts) {
      const record = await composer.slots().infoStore!.get(idOf(part), { signal })
      expect(record!.concat).toMatchObject({ finals: [expect.any(String)] })
      expect(JSON.stringify(record).length).toBeLessThan(1_000)
    }
  })
})

test('T-177 the records of parts keep a final upload that is still being created', async () => {
  const site = await serve()
  const part = await createUpload(site, { 'upload-length': '5', 'upload-concat': 'partial' })
  const replies = await Promise.all(Array.from({ length: 50 }, () => concat(site, part)))
  expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 201))
  expect((await patch(part, 0, 'hello')).status).toBe(204)
  for (const { headers } of replies) {
    const url = site.origin + headers.location
    await expect
      .poll(async () => (await send({ method: 'GET', url })).text, { timeout: 60_000 })
      .toBe('hello')
  }
})
