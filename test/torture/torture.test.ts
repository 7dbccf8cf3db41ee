import { expect, test } from 'vitest'
import { torture } from './torture.js'

/** The same plan each time. `TORTURE_SEED` chooses another one, as `npm run torture` does. */
const seed = Number(process.env.TORTURE_SEED ?? 1)
const minute = 60_000

test('a minute of torture breaks no promise', { timeout: 15 * minute }, async () => {
  console.log(`torture with TORTURE_SEED=${seed}`)
  const { violations, counts, home } = await torture(seed, AbortSignal.timeout(minute))
  expect(violations, `seed ${seed}, logs in ${home}`).toEqual([])
  const happened = ['kill', 'suspend', 'full', 'broken', 'rival', 'interim response']
  for (const what of [...happened, 'finished tus', 'finished ietf']) {
    expect(counts[what], what).toBeGreaterThan(0)
  }
})
