import { setTimeout } from 'node:timers/promises'
import type { DataStore } from 'tuskit'
import { describe, expect, test } from 'vitest'
import {
  createUpload,
  head,
  memoryComposer,
  offsetOf,
  patch,
  post,
  serve,
  type Reply,
} from '../support/serve.js'
import { keptLog, storeWith } from '../support/stages.js'

/** A fake store that does its work, but returns something else once `lies` is set. */
async function lyingSite() {
  const composer = memoryComposer()
  const { dataStore, verifiedAppender } = composer.slots()
  const lie: { stat?: unknown; append?: unknown } = {}
  const returned = (name: keyof typeof lie, truth: unknown) => (name in lie ? lie[name] : truth)
  composer.useDataStore(
    storeWith(dataStore!, {
      stat: async (...args) => returned('stat', await dataStore!.stat(...args)),
      append: async (...args) => returned('append', await dataStore!.append(...args)),
    } as Partial<DataStore>),
  )
  composer.useVerifiedAppender({
    appendVerified: async (...args) =>
      returned('append', await verifiedAppender!.appendVerified(...args)) as never,
  })
  const log = keptLog()
  return { site: await serve({ composer, logger: log }), lie, log }
}

const results = [
  ...[undefined, null, 5, '5', {}, [], { offset: '5' }, { offset: 4.5 }, { offset: Number.NaN }],
  ...[{ offset: -1 }, { offset: 2 ** 53 }, { offset: Infinity }],
]

function expectInternal(reply: Reply): void {
  expect([reply.status, reply.text.split(':')[0]]).toEqual([500, 'ERR_INTERNAL'])
  expect(reply.text).not.toContain('offset')
}

const sha1 = { 'upload-checksum': 'sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=' }

describe.each([
  ['append', {}],
  ['appendVerified', sha1],
])('what %s returns', (method, headers) => {
  /**
   * Sends 5 more bytes to two uploads of 10 bytes: one at `before` by PATCH, one from 0 with its
   * creation.
   */
  async function refused(result: unknown, before: string): Promise<Reply[]> {
    const { site, lie, log } = await lyingSite()
    const url = await createUpload(site, { 'upload-length': '10' })
    if (before !== '') await patch(url, 0, before)
    lie.append = result
    const replies = [await patch(url, before.length, 'hello', headers)]
    if (before === '')
      replies.push(await post(site, { 'upload-length': '10', ...headers }, 'hello'))
    for (const reply of replies) expectInternal(reply)
    expect(log.lines).toHaveLength(replies.length)
    for (const { level, fields } of log.lines) {
      expect(level).toBe('error')
      expect(String(fields.error)).toContain(`The store's ${method} must return { offset }`)
    }
    return replies
  }

  test.each([...results, { offset: 6 }, { offset: 10 }])(
    '%o is refused, and the response has the stored offset',
    async (result) => {
      for (const reply of await refused(result, ''))
        expect(reply.headers['upload-offset']).toBe('5')
    },
  )

  test('an offset before the chunk is refused', async () => {
    for (const offset of [0, 3]) await refused({ offset }, 'abcd')
  })
})

test('a store that returns no promise, and reads nothing, harms no other request', async () => {
  const composer = memoryComposer()
  const append = (() => ({ offset: 0 })) as unknown as DataStore['append']
  composer.useDataStore(storeWith(composer.slots().dataStore!, { append }))
  const log = keptLog()
  const site = await serve({ composer, logger: log, flushTimeout: 1 })
  const url = await createUpload(site, { 'upload-length': '10' })
  expect((await patch(url, 0, 'hello')).text).toMatch(/^ERR_BODY_INCOMPLETE/)
  // The time limit of the store began earlier and is shorter than this.
  await setTimeout(2)
  expect(await offsetOf(url)).toBe('0')
  expect(log.lines.filter(({ level }) => level === 'error')).toEqual([])
})

describe('what stat returns', () => {
  test.each(results)('%o is refused', async (result) => {
    const { site, lie, log } = await lyingSite()
    const url = await createUpload(site, { 'upload-length': '10' })
    lie.stat = result
    expect((await head(url)).headers).not.toHaveProperty('upload-offset')
    expectInternal(await patch(url, 0, 'hello'))
    for (const { fields } of log.lines) {
      expect(String(fields.error)).toContain("The store's stat must return { offset }")
    }
    expect(log.lines.length).toBeGreaterThan(0)
    delete lie.stat
    expect(await offsetOf(url)).toBe('0')
  })
})
