import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { beforeAll, expect, test } from 'vitest'
import { ensureProgram } from '../house/debian-packages.mjs'
import { createUpload, openPatch, patch, post, remove, untilOffset } from '../support/serve.js'
import { lossesIn } from './power-cut.js'
import { trace } from './traced-server.js'
import type { TracedSite } from './traced-server.js'

beforeAll(() => ensureProgram('strace'))

const sha1 = (text: string) => `sha1 ${createHash('sha1').update(text).digest('base64')}`

/** Creates, fills, finishes and removes uploads in every possible way. */
async function story(site: TracedSite): Promise<void> {
  const a = await createUpload(site, { 'upload-length': '15' })
  const { request, reply } = openPatch(a, 0, { 'content-length': 15, expect: '100-continue' })
  await once(request, 'continue')
  for (const [i, piece] of ['first', 'other', 'third'].entries()) {
    request.write(piece)
    if (i < 2) await untilOffset(a, 5 * (i + 1))
  }
  await reply

  const b = await createUpload(site, { 'upload-defer-length': '1' })
  await patch(b, 0, 'first', { 'upload-checksum': sha1('first') })
  await patch(b, 5, 'wrong', { 'upload-checksum': sha1('other') })
  await patch(b, 5, 'other', { 'upload-checksum': sha1('other') })
  await patch(b, 10, 'third', { 'upload-length': '15' })

  const partial = { 'upload-concat': 'partial', 'upload-length': '5' }
  await post(site, partial, 'first')
  await post(site, partial, 'other')
  await post(site, { 'upload-concat': 'final;/files/c /files/d' })

  const f = await createUpload(site, { 'upload-length': '15' })
  await patch(f, 0, 'first', { 'upload-checksum': sha1('first') })
  for (const url of [a, b, f]) await remove(url)
}

const whole = 'firstotherthird'
const contents = { a: whole, b: whole, c: 'first', d: 'other', e: 'firstother', f: whole }

test.each([
  ['implied', {}],
  ['recorded', { hooks: true }],
  ['implied, in folders', { locate: 'one/two/{id}' }],
])('with finishing %s no power cut takes back what a client was promised', async (_, options) => {
  const { states, losses } = await lossesIn(await trace(options, story), contents)
  expect(losses).toEqual([])
  expect(states).toBeGreaterThan(50)
})

test('the check fails if the syncs of any one kind of file are removed', async () => {
  const events = await trace({ hooks: true }, story)
  const kinds = [/\.info$/, /\.verified$/, /\/[a-f]$/, /^uploads$/]
  for (const kind of kinds) {
    const rest = events.filter((event) => event.kind !== 'sync' || !kind.test(event.path))
    expect((await lossesIn(rest, contents, 1)).losses, `without those of ${kind}`).not.toEqual([])
  }
})
