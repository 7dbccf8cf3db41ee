import { expect, test } from 'vitest'
import type { Hooks } from 'tuskit'
import {
  createUpload,
  head,
  openPatch,
  patch,
  post,
  remove,
  serve,
  until,
  idOf,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

const names = [
  ...(['access', 'preCreate', 'postCreate', 'postReceive'] as const),
  ...(['preFinish', 'postFinish', 'preTerminate', 'postTerminate'] as const),
]

/** Hooks that note their calls under a name, and return what `results` says. */
function noting(calls: string[], name: string, results: Hooks = {}): Hooks {
  const hooks = names.map((hook) => {
    const call = async (context: never) => {
      calls.push(`${name}.${hook}`)
      return (results[hook] as ((context: never) => unknown) | undefined)?.(context)
    }
    return [hook, call]
  })
  return Object.fromEntries(hooks) as Hooks
}

const rejecting = { reject: { status: 418, body: 'no' } } as const

test('every event reaches all hooks, in the order of the list', async () => {
  const calls: string[] = []
  const hooks = [noting(calls, 'a'), noting(calls, 'b'), noting(calls, 'c')]
  const site = await serve({ hooks, progressInterval: 1 })
  const url = await createUpload(site, { 'upload-length': '10' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  await until(
    async () => calls,
    (made) => made.includes('c.postReceive'),
  )
  request.end('world')
  expect((await reply).status).toBe(204)
  expect((await remove(url)).status).toBe(204)
  await until(
    async () => calls,
    (made) => made.includes('c.postTerminate'),
  )
  for (const name of names) {
    const callers = calls.filter((call) => call.endsWith(`.${name}`)).map((call) => call[0])
    const rounds = callers.join('').match(/.{1,3}/g)
    expect([name, ...new Set(rounds)]).toEqual([name, 'abc'])
  }
})

test('preCreate gets the upload as the earlier ones want it, and the last choice counts', async () => {
  const seen: unknown[] = []
  const see = ({ upload }: Parameters<NonNullable<Hooks['preCreate']>>[0]) => {
    const { id, metadata, maxSize, place } = upload
    seen.push({ id, name: metadata.values.filename, maxSize, place })
  }
  const site = await serve({
    maxSize: 1,
    generateId: () => 'generated',
    hooks: [
      {
        preCreate(context) {
          see(context)
          return { id: 'first', metadata: { filename: 'a' }, maxSize: 100, place: { key: 'k' } }
        },
      },
      { postCreate: () => {} },
      { preCreate: see },
      {
        preCreate(context) {
          see(context)
          return { reject: false, id: 'second', maxSize: 5 }
        },
      },
      { preCreate: see },
    ],
  })
  expect((await post(site, { 'upload-length': '6' })).status).toBe(413)
  seen.length = 0
  const reply = await post(site, { 'upload-length': '5' }, 'hello')
  expect(reply.status).toBe(201)
  expect(idOf(reply.headers.location!)).toBe('second')
  const first = { id: 'first', name: 'a', maxSize: 100, place: { key: 'k' } }
  const second = { ...first, id: 'second', maxSize: 5 }
  expect(seen).toEqual([{ id: 'generated' }, first, first, second])
  const { headers } = await head(site.origin + reply.headers.location)
  expect(headers['upload-metadata']).toBe('filename YQ==')
})

test.each(['access', 'preCreate', 'preFinish', 'preTerminate'] as const)(
  'the first %s that rejects decides, and later ones are not asked',
  async (hook) => {
    const calls: string[] = []
    const hooks = [
      noting(calls, 'a'),
      noting(calls, 'b', { [hook]: () => rejecting }),
      noting(calls, 'c', { [hook]: () => ({ reject: { status: 444 } }) }),
    ]
    const site = await serve({ hooks })
    const created = await post(site, { 'upload-length': '5' })
    const url = site.origin + created.headers.location
    const replies = [created]
    if (hook === 'preFinish') replies.push(await patch(url, 0, 'hello'))
    if (hook === 'preTerminate') replies.push(await remove(url))
    expect(replies.at(-1)).toMatchObject({ status: 418, text: 'no' })
    expect(calls.filter((call) => call.endsWith(`.${hook}`))).toEqual([`a.${hook}`, `b.${hook}`])
  },
)

test.each(['access', 'preCreate', 'preFinish', 'preTerminate'] as const)(
  'later ones are not asked after a %s that fails',
  async (hook) => {
    const calls: string[] = []
    const failing = noting(calls, 'a', {
      [hook]: () => {
        throw new Error('broken')
      },
    })
    const site = await serve({ hooks: [failing, noting(calls, 'b')], logger: keptLog() })
    const created = await post(site, { 'upload-length': '5' })
    const url = site.origin + created.headers.location
    const replies = [created]
    if (hook === 'preFinish') replies.push(await patch(url, 0, 'hello'))
    if (hook === 'preTerminate') replies.push(await remove(url))
    expect(replies.at(-1)!.status).toBe(500)
    expect(calls.filter((call) => call.endsWith(`.${hook}`))).toEqual([`a.${hook}`])
  },
)

test('the last response of preFinish counts', async () => {
  const respond = (body: string) => ({ preFinish: () => ({ response: { status: 200, body } }) })
  const site = await serve({ hooks: [respond('a'), respond('b'), { preFinish: () => ({}) }] })
  const url = await createUpload(site, { 'upload-length': '5' })
  expect(await patch(url, 0, 'hello')).toMatchObject({ status: 200, text: 'b' })
})

test('post hooks run even if an earlier one fails, and each failure is logged', async () => {
  const calls: string[] = []
  const fail = () => {
    throw new Error('broken')
  }
  const failing = noting(calls, 'a', {
    postCreate: fail,
    postReceive: fail,
    postFinish: fail,
    postTerminate: fail,
  })
  const logger = keptLog()
  const site = await serve({ hooks: [failing, failing, noting(calls, 'b')], logger })
  const url = await createUpload(site, { 'upload-length': '5' })
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  expect((await remove(url)).status).toBe(204)
  await until(
    async () => calls,
    (made) => made.includes('b.postTerminate'),
  )
  for (const hook of ['postCreate', 'postFinish', 'postTerminate']) {
    const callers = calls.filter((call) => call.endsWith(`.${hook}`)).map((call) => call[0])
    expect(callers).toEqual(['a', 'a', 'b'])
  }
  for (const type of ['post-create', 'post-finish', 'post-terminate']) {
    const messages = logger.lines.filter(({ message }) => message === `The hook ${type} failed`)
    expect(messages).toHaveLength(2)
  }
})

test('the first postReceive that stops an upload chooses the response, and all are called', async () => {
  const calls: string[] = []
  const hooks = [
    noting(calls, 'a'),
    noting(calls, 'b', { postReceive: () => ({ stop: { status: 418 } }) }),
    noting(calls, 'c', { postReceive: () => ({ stop: { status: 444 } }) }),
  ]
  const site = await serve({ hooks, progressInterval: 1 })
  const url = await createUpload(site, { 'upload-length': '10' })
  const { request, reply } = openPatch(url, 0, { 'content-length': '10' })
  request.write('hello')
  expect((await reply).status).toBe(418)
  const callers = calls.filter((call) => call.endsWith('.postReceive')).map((call) => call[0])
  expect(callers).toEqual(['a', 'b', 'c'])
})

test('each hook has the whole hookTimeout', async () => {
  const never = () => new Promise<never>(() => {})
  const calls: string[] = []
  const logger = keptLog()
  const hooks = [{ postCreate: never }, { postCreate: never }, noting(calls, 'c')]
  const site = await serve({ hooks, hookTimeout: 20, logger })
  await createUpload(site, { 'upload-length': '5' })
  await until(
    async () => calls,
    (made) => made.includes('c.postCreate'),
  )
  const failures = logger.lines.filter(({ message }) => message === 'The hook post-create failed')
  expect(failures).toHaveLength(2)
})
