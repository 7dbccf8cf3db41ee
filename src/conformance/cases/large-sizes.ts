import assert from 'node:assert/strict'
import type { Case } from '../case.js'
import { cases } from '../case.js'
import type { Fixture } from '../fixture/fixture.js'
import { assertSame } from '../fixture/read-content.js'
import { unless } from '../fixture/rejects.js'
import { TestBody } from '../fixture/test-body.js'
import type { TestUpload } from '../fixture/test-upload.js'

const [hello, world] = [Buffer.from('hello '), Buffer.from('world')] as const

/** Sizes of which 32 bits hold a small or a negative number. */
const lengths = [2 ** 31 + 3, 2 ** 32 + 3, Number.MAX_SAFE_INTEGER]

/** More than 32 bits hold. */
const large = 2 ** 32 + 3

/** Sizes that do not fit in 32 bits. */
export const largeSizeCases: readonly Case[] = [
  ...cases('dataStore', 'lengths-and-sizes', {
    async 'a declared length can be beyond 2^32'(fixture) {
      for (const length of lengths) {
        if (length > fixture.slots.dataStore.maxSize) continue
        const upload = fixture.upload({ length })
        const create = () => upload.create({ incoming: 'some' }).then(() => true)
        if (!(await unless('ERR_STORAGE_FULL', create))) continue
        assert.equal((await upload.stat()).offset, 0)
        await upload.append(new TestBody([[hello]], length))
        assert.equal((await upload.stat()).offset, hello.length)
        await upload.append(new TestBody([[world]], length - hello.length))
        assert.equal((await upload.stat()).offset, hello.length + world.length)
      }
    },
  }),

  ...cases(
    'dataStore',
    'lengths-and-sizes',
    {
      async 'append continues beyond 2^32'(fixture) {
        const upload = await grown(fixture)
        await upload.append(hello)
        assert.equal((await upload.stat()).offset, large + hello.length)
        upload.slots = fixture.others
        await upload.append(world)
        assert.equal((await upload.stat()).offset, large + hello.length + world.length)
      },
    },
    'grow',
  ),

  ...cases(
    'verifiedAppender',
    'lengths-and-sizes',
    {
      async 'appendVerified continues beyond 2^32'(fixture) {
        const upload = await grown(fixture)
        await upload.appendVerified(hello)
        await upload.appendVerified('WORLD', async () => false)
        assert.equal((await upload.stat()).offset, large + hello.length)
        await upload.appendVerified(world)
        assert.equal((await upload.stat()).offset, large + hello.length + world.length)
      },
    },
    'grow',
  ),

  ...cases(
    'contentReader',
    'lengths-and-sizes',
    {
      async 'read returns ranges beyond 2^32'(fixture) {
        const upload = await grown(fixture)
        await upload.append(hello)
        await upload.append(world)
        const length = large + hello.length + world.length
        await upload.whole(length)
        for (const [start, expected] of [
          [0, 'a\0'],
          [large - 2, '\0\0hello '],
          [large, 'hello world'],
          [length - 1, 'd'],
        ] as const) {
          const range = { start, end: start + expected.length - 1 }
          assertSame(await upload.bytes(range), Buffer.from(expected))
        }
      },
    },
    'grow',
  ),
]

/** Makes an upload with more bytes than 32 bits can count, of which 11 are missing. */
async function grown(fixture: Fixture): Promise<TestUpload> {
  const upload = await fixture.created({ length: large + hello.length + world.length })
  await upload.append('a')
  await fixture.grow(upload.record, large)
  assert.equal((await upload.stat()).offset, large, 'stat of more than 2^32 bytes')
  return upload
}
