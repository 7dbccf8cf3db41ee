import { expect, test } from 'vitest'
import { torture } from './torture.js'

/** `TORTURE_SEED` replays a run. */
const seed = Number(process.env.TORTURE_SEED ?? Math.floor(Math.random() * 1e9))
const minute = 60_000

test('a minute of torture breaks no promise', { timeout: 5 * minute }, async () => {
  console.log(`torture with TORTURE_SEED=${seed}`)
  const { violations, counts, home } = await torture(seed, AbortSignal.timeout(minute))
  expect(violations, `seed ${seed}, logs in ${home}`).toEqual([])
  const happened = ['kill', 'kill all', 'stop', 'suspend', 'full', 'no names', 'broken', 'rival']
  for (const what of [...happened, 'finished', 'kept files']) {
    expect(counts[what], what).toBeGreaterThan(0)
  }
})
