import { Readable } from 'node:stream'
import { StoreComposer, type ContentReader, type HookContext, type StoreSlots } from 'tuskit'
import { describe, expect, test } from 'vitest'
import { download, serve, stores } from '../../support/serve.js'
import { digest, digestProblem } from './digest-fields.js'
import { draft9, problemIn, urlIn } from './draft.js'
import { silent } from '../../support/silent.js'

const right = { 'repr-digest': digest('hello world') }
const wrong = { 'repr-digest': digest('hello there') }
const wanted = { 'want-repr-digest': 'sha-256=3' }

/** Returns a composer with these slots. */
function composed({
  dataStore,
  infoStore,
  verifiedAppender,
  contentReader,
}: StoreSlots): StoreComposer {
  const composer = new StoreComposer().useDataStore(dataStore!).useInfoStore(infoStore!)
  if (verifiedAppender) composer.useVerifiedAppender(verifiedAppender)
  if (contentReader) composer.useContentReader(contentReader)
  return composer
}

describe.each(stores)('Repr-Digest in less capable stores ($store store)', ({ compose }) => {
  /** Returns a composer with the store, but with a changed ContentReader. */
  async function reading(change: (reader: ContentReader) => ContentReader): Promise<StoreComposer> {
    const slots = (await compose()).slots()
    return composed({ ...slots, contentReader: change(slots.contentReader!) })
  }

  test.each([
    ['cannot be opened', () => Promise.reject(new Error('mine'))],
    [
      'breaks off',
      async () =>
        Readable.from(
          (async function* () {
            yield Buffer.from('hello')
            throw new Error('mine')
          })(),
        ),
    ],
    ['lies elsewhere', async () => ({ redirect: 'https://elsewhere.test/' })],
  ] as const)('R-131 content that %s is verified by a later request', async (_, read) => {
    for (const [fields, status] of [
      [wrong, 400],
      [right, 204],
    ] as const) {
      let failures = 2
      const composer = await reading((reader) => ({
        read: (...given) => (failures-- > 0 ? read() : reader.read(...given)),
      }))
      const asked: string[] = []
      const hooks = { preFinish: ({ upload }: HookContext) => void asked.push(upload.id) }
      const at = await serve({ composer, logger: silent, hooks })
      const failed = await draft9.create(at, 'hello world', { ...draft9.end, ...fields })
      expect([failed.status, failed.headers['upload-complete']]).toEqual([500, '?0'])
      const url = urlIn(failed, at)
      expect((await draft9.ask('HEAD', url)).status).toBe(500)
      expect(asked).toEqual([])
      const third = await draft9.ask('HEAD', url)
      expect([third.status, third.headers['upload-complete']]).toEqual([status, '?1'])
      expect(asked).toHaveLength(status === 204 ? 1 : 0)
    }
  })

  test('R-131 R-132 a creation is refused without a ContentReader, and nothing is created', async () => {
    let created = 0
    const { contentReader: _, ...slots } = (await compose()).slots()
    const composer = composed(slots)
    const at = await serve({ composer, hooks: { postCreate: () => void created++ } })
    for (const says of [draft9.end, draft9.more]) {
      const reply = await draft9.create(at, 'hello world', { ...says, ...right })
      expect([reply.status, reply.headers['upload-complete'], created]).toEqual([400, '?0', 0])
      expect(problemIn(reply).type).toBe(`${digestProblem}unsupported-algorithms`)
    }
    const url = await draft9.started(at, 'hello', { 'content-digest': digest('hello'), ...wanted })
    const reply = await draft9.append(url, 5, ' world', draft9.end)
    // A Want-Repr-Digest may be ignored.
    expect([reply.status, reply.headers['repr-digest']]).toEqual([201, undefined])
  })

  test.each([
    ['disabled', async () => ({ composer: await compose(), disable: ['checksum'] as const })],
    [
      'without a VerifiedAppender',
      async () => {
        const { verifiedAppender: _, ...slots } = (await compose()).slots()
        return { composer: composed(slots) }
      },
    ],
  ])(
    'R-131 R-132 a creation is refused where nothing is verified, and nothing is created: %s',
    async (_, options) => {
      let created = 0
      const at = await serve({ ...(await options()), hooks: { postCreate: () => void created++ } })
      for (const fields of [right, wrong, { 'repr-digest': 'foo=1' }]) {
        const reply = await draft9.create(at, 'hello world', { ...draft9.end, ...fields })
        expect([reply.status, reply.headers['upload-complete'], created]).toEqual([400, '?0', 0])
      }
      const url = await draft9.started(at, 'hello', wanted)
      const reply = await draft9.append(url, 5, ' world', { ...draft9.end, ...wrong })
      expect([reply.status, reply.headers['repr-digest']]).toEqual([201, undefined])
      expect(await download(url)).toBe('hello world')
    },
  )

  test('R-131 the digest is verified although downloads are disabled', async () => {
    const at = await serve({ composer: await compose(), disable: ['download'] })
    const url = await draft9.started(at, 'hello', wrong)
    expect((await draft9.append(url, 5, ' world', draft9.end)).status).toBe(400)
    const next = await draft9.started(at, 'hello', right)
    expect((await draft9.append(next, 5, ' world', draft9.end)).status).toBe(201)
  })
})
