import { describe, expect, test } from 'vitest'
import { download, openRequest, serve, until, type Site } from '../serve.js'
import { append, appending, ask, creation, end, more, started, stateOf } from './draft.js'

/** Inspects without taking over. */
function untilStored({ handler }: Site, url: string, offset: number): Promise<unknown> {
  return until(
    () => handler.uploads.inspect(url.split('/').at(-1)!),
    (found) => found.offset === offset,
  )
}

/** An append that has brought 6 bytes and does not go on. */
async function hanging(site: Site, url: string) {
  const sent = appending(url, 9, 5, ' world', { ...end(9), 'content-length': '100' })
  const { request, reply } = openRequest(sent)
  await untilStored(site, url, 11)
  return {
    request,
    broken: reply.then(
      () => false,
      () => true,
    ),
  }
}

describe('R-101 a new request ends the running append, whose bytes are kept', () => {
  test.each(['HEAD', 'GET'] as const)('R-100 R-101 %s', async (method) => {
    const site = await serve()
    const url = await started(site, 9, 'hello')
    const { broken } = await hanging(site, url)
    const reply = await ask(method, url, 9)
    expect([reply.status, reply.headers['upload-offset'], await broken]).toEqual([204, '11', true])
    // The offset is good for the next append.
    expect((await append(url, 9, 11, '!', more(9))).status).toBe(204)
  })

  test('R-100 R-101 PATCH', async () => {
    const site = await serve()
    const url = await started(site, 9, 'hello')
    const { broken } = await hanging(site, url)
    const reply = await append(url, 9, 11, '!', more(9))
    expect([reply.status, reply.headers['upload-offset'], await broken]).toEqual([204, '12', true])
  })
})

test('R-100 appends at the same time do not mix', async () => {
  const url = await started(await serve(), 9, 'hello')
  const replies = await Promise.all(
    ['a', 'b', 'c', 'd'].map((letter) => append(url, 9, 5, letter.repeat(6), more(9))),
  )
  const won = replies.flatMap(({ status }, index) => (status === 204 ? [index] : []))
  expect(won).toHaveLength(1)
  await append(url, 9, 11, '', end(9))
  expect(await download(url)).toBe(`hello${'abcd'[won[0]!]!.repeat(6)}`)
})

test('R-102 a silent client does not keep others waiting', async () => {
  const site = await serve({ stallTimeout: 60_000, lockTimeout: 60_000 })
  const url = await started(site, 9, 'hello')
  const { broken } = await hanging(site, url)
  expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '11', 'upload-complete': '?0' })
  expect(await broken).toBe(true)
})

test('R-103 HEAD ends the running creation, too', async () => {
  const site = await serve({ interimResponses: true })
  const sent = creation(site, 9, 'hello', { ...end(9), 'content-length': '100' })
  const { request, reply } = openRequest(sent)
  const broken = reply.then(
    () => false,
    () => true,
  )
  const location = await new Promise<string>((resolve) => {
    request.on('information', ({ headers }) => resolve(String(headers.location)))
  })
  const url = new URL(location, site.origin).href
  await untilStored(site, url, 5)
  expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '5', 'upload-complete': '?0' })
  expect(await broken).toBe(true)
})

test('R-104 what comes on the old connection afterwards is dropped', async () => {
  const site = await serve()
  const url = await started(site, 9, 'hello')
  const { request, broken } = await hanging(site, url)
  request.on('error', () => {})
  await stateOf(url, 9)
  request.write('more')
  expect(await broken).toBe(true)
  expect(await stateOf(url, 9)).toMatchObject({ 'upload-offset': '11' })
})
