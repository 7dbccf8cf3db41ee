import { describe, expect, test } from 'vitest'
import type { Concatenator } from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  download,
  head,
  memoryComposer,
  openPatch,
  patch,
  post,
  remove,
  send,
  serve,
  stores,
  until,
  untilOffset,
} from '../../support/serve.js'
import { newGate } from '../../support/stages.js'
import { createFinal } from './parts.js'

const partial = { 'upload-length': '5', 'upload-concat': 'partial' }

describe.each(stores)(
  'a final upload before its parts are finished ($store store)',
  ({ compose }) => {
    test('T-162 is accepted, and concatenated when its last part is finished', async () => {
      const site = await serve({ composer: await compose() })
      const [one, two] = [await createUpload(site, partial), await createUpload(site, partial)]
      await patch(two, 0, 'world')
      const final = await createFinal(site, one, two)
      expect((await send({ method: 'GET', url: final })).status).toBe(409)
      await patch(one, 0, 'hel')
      expect((await head(final)).headers).not.toHaveProperty('upload-offset')
      expect((await patch(one, 3, 'lo')).status).toBe(204)
      await untilOffset(final, 10)
      expect(await download(final)).toBe('helloworld')
    })

    test('T-162 is concatenated without a further request', async () => {
      const finished: string[] = []
      const gate = newGate()
      const site = await serve({
        composer: await compose(),
        hooks: {
          postFinish({ upload }) {
            finished.push(upload.concat!.kind)
            void gate.pass()
          },
        },
      })
      const url = await createUpload(site, partial)
      const final = await createFinal(site, url)
      await patch(url, 0, 'hello')
      await gate.reached
      expect(finished).toEqual(['final'])
      expect(await download(final)).toBe('hello')
    })

    test('T-162 gets 400 when the extension is disabled', async () => {
      const site = await serve({
        composer: await compose(),
        disable: ['concatenation-unfinished'],
      })
      const { headers } = await send({ method: 'OPTIONS', url: `${site.origin}/files` })
      const extensions = (headers['tus-extension'] as string).split(',')
      expect(extensions).toContain('concatenation')
      expect(extensions).not.toContain('concatenation-unfinished')
      const [one, two] = [await createUpload(site, partial), await createUpload(site, partial)]
      await patch(one, 0, 'hello')
      const reply = await post(site, { 'upload-concat': `final;${one} ${two}` })
      expect([reply.status, reply.text.split(':', 1)[0]]).toEqual([400, 'ERR_PARTIAL_NOT_FINISHED'])
      expect(reply.headers).not.toHaveProperty('location')
      await patch(two, 0, 'world')
      expect(await download(await createFinal(site, one, two))).toBe('helloworld')
    })

    test('T-166 T-167 has no offset, and has a length as soon as it can be computed', async () => {
      const site = await serve({ composer: await compose() })
      const known = await createUpload(site, partial)
      const unknown = await createUpload(site, {
        'upload-defer-length': '1',
        'upload-concat': 'partial',
      })
      const computable = await createFinal(site, known, known)
      const later = await createFinal(site, known, unknown)
      const before = [(await head(computable)).headers, (await head(later)).headers] as const
      expect(before[0]['upload-length']).toBe('10')
      expect(before[1]).not.toHaveProperty('upload-length')
      await patch(unknown, 0, 'wor', { 'upload-length': '5' })
      const after = (await head(later)).headers
      expect(after['upload-length']).toBe('10')
      for (const headers of [...before, after]) {
        expect(headers['upload-concat']).toMatch(/^final;/)
        expect(headers).not.toHaveProperty('upload-offset')
        expect(headers).not.toHaveProperty('upload-defer-length')
      }
      await patch(known, 0, 'hello')
      await patch(unknown, 3, 'ld')
      await untilOffset(later, 10)
      expect(await download(later)).toBe('helloworld')
      await untilOffset(computable, 10)
    })

    test('T-162 does not interrupt the request that writes a part', async () => {
      const site = await serve({ composer: await compose(), takeoverAfter: 60_000 })
      const url = await createUpload(site, {
        'upload-defer-length': '1',
        'upload-concat': 'partial',
      })
      const { request, reply } = openPatch(url, 0, { 'content-length': '5', 'upload-length': '5' })
      request.write('hel')
      await untilOffset(url, 3)
      const final = await createFinal(site, url)
      request.end('lo')
      expect((await reply).status).toBe(204)
      await untilOffset(final, 5)
      expect(await download(final)).toBe('hello')
    })

    test('T-174 is rejected permanently when its parts turn out to be too large together', async () => {
      const site = await serve({ composer: await compose(), maxSize: 10 })
      const deferred = { 'upload-defer-length': '1', 'upload-concat': 'partial' }
      const [one, two] = [await createUpload(site, deferred), await createUpload(site, deferred)]
      const final = await createFinal(site, one, two)
      await patch(one, 0, '123456', { 'upload-length': '6' })
      await patch(two, 0, '123456', { 'upload-length': '6' })
      const { status } = await until(
        () => head(final),
        (reply) => reply.status !== 200,
      )
      expect(status).toBe(413)
      expect((await send({ method: 'GET', url: final })).text).toMatch(/^ERR_MAX_SIZE_EXCEEDED: /)
      expect((await remove(one)).status).toBe(204)
    })
  },
)

test('T-169 T-178 a final upload that fails does not prevent another with the same part', async () => {
  const gate = newGate()
  const site = await serve({
    hooks: {
      preFinish({ upload }) {
        return upload.metadata.raw === 'bad' ? { reject: true } : void gate.pass()
      },
    },
  })
  const url = await createUpload(site, partial)
  const concatenation = { 'upload-concat': `final;${url}` }
  const bad = await createUpload(site, { ...concatenation, 'upload-metadata': 'bad' })
  const good = await createUpload(site, concatenation)
  await patch(url, 0, 'hello')
  // No request starts the concatenation. The end of its part does.
  await gate.reached
  await untilOffset(good, 5)
  expect((await head(bad)).status).toBe(400)
})

test('T-178 the finish hooks of a final upload run once, when all bytes are in place', async () => {
  const events: string[] = []
  const composer = memoryComposer()
  const site = await serve({
    composer,
    hooks: {
      async preFinish({ event, upload }) {
        const { dataStore } = composer.slots()
        const { offset } = await dataStore!.stat(upload, { signal: new AbortController().signal })
        events.push(`${event.type} ${upload.concat!.kind} ${offset}`)
      },
      postFinish: ({ event, upload }) => void events.push(`${event.type} ${upload.concat!.kind}`),
    },
  })
  const [one, two] = [await createUpload(site, partial), await createUpload(site, partial)]
  await patch(one, 0, 'hello')
  const final = await createFinal(site, one, two)
  expect(events).toEqual([])
  await patch(two, 0, 'world')
  await untilOffset(final, 10)
  await head(final)
  await patch(final, 10, '')
  await site.server.stop()
  expect(events).toEqual(['pre-finish final 10', 'post-finish final'])
})

/** Concatenates in memory after the given number of failures. */
class FailingConcatenator implements Concatenator {
  readonly #store: MemoryStore
  failures: number

  constructor(store: MemoryStore, failures: number) {
    this.#store = store
    this.failures = failures
  }

  async concatenate(...args: Parameters<Concatenator['concatenate']>): Promise<void> {
    if (this.failures-- > 0) throw new Error('The storage is broken')
    return this.#store.concatenate(...args)
  }
}

test('T-178 a concatenation that fails gets 500, leaves the parts, and is retried', async () => {
  const finished: string[] = []
  const store = new MemoryStore()
  const composer = memoryComposer()
  store.useIn(composer)
  composer.useConcatenator(new FailingConcatenator(store, 2))
  const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }
  const site = await serve({
    composer,
    logger: quiet,
    hooks: { postFinish: ({ upload }) => void finished.push(upload.concat!.kind) },
  })
  const [one, two] = [await createUpload(site, partial), await createUpload(site, partial)]
  await patch(one, 0, 'hello')
  await patch(two, 0, 'world')
  const reply = await post(site, { 'upload-concat': `final;${one} ${two}` })
  expect(reply.status).toBe(500)
  expect(reply.text).not.toContain('broken')
  for (const url of [one, two]) expect((await head(url)).headers['upload-offset']).toBe('5')
  const final = new URL(reply.headers.location!, site.origin).href
  const again = await head(final)
  expect(again.status).toBe(423)
  expect(again.headers).not.toHaveProperty('upload-offset')
  expect((await head(final)).headers['upload-offset']).toBe('10')
  expect(await download(final)).toBe('helloworld')
  await site.server.stop()
  expect(finished).toEqual(['final'])
})

test('T-164 T-167 T-191 during concatenation a final upload is locked and has no offset', async () => {
  const gate = newGate()
  const store = new MemoryStore()
  const composer = memoryComposer()
  store.useIn(composer)
  composer.useConcatenator({
    async concatenate(...args) {
      await gate.pass()
      return store.concatenate(...args)
    },
  })
  const site = await serve({ composer, lockTimeout: 50, finishTimeout: 50 })
  const url = await createUpload(site, partial)
  await patch(url, 0, 'hello')
  // The response comes after finishTimeout, and the work continues.
  const final = await createFinal(site, url)
  await gate.reached
  const waiting = await head(final)
  expect([waiting.status, waiting.headers['upload-length']]).toEqual([200, '5'])
  expect(waiting.headers).not.toHaveProperty('upload-offset')
  expect((await patch(final, 0, 'x')).status).toBe(403)
  expect((await remove(final)).status).toBe(423)
  expect((await remove(url)).status).toBe(409)
  gate.open()
  await untilOffset(final, 5)
  expect(await download(final)).toBe('hello')
})

test('T-162 T-171 a rejected part can no longer be concatenated', async () => {
  const site = await serve({
    takeoverAfter: 60_000,
    progressInterval: 1,
    hooks: { postReceive: () => ({ stop: true }) },
  })
  const url = await createUpload(site, partial)
  const final = await createFinal(site, url)
  const { request, reply } = openPatch(url, 0, { 'content-length': '5' })
  request.write('hel')
  expect((await reply).status).toBe(400)
  request.destroy()
  expect((await head(final)).status).toBe(410)
  expect((await post(site, { 'upload-concat': `final;${url}` })).status).toBe(400)
})
