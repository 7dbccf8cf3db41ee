import { expect, test } from 'vitest'
import { torture } from '../../../test/torture/torture.js'

/** The same plan each time. `TORTURE_SEED` chooses another one, as `npm run torture` does. */
const seed = Number(process.env.TORTURE_SEED ?? 1)

test('a minute of torture over a bucket breaks no promise', async () => {
  console.log(`torture with TORTURE_SEED=${seed}`)
  const { violations, counts, home } = await torture(seed, AbortSignal.timeout(60_000), 's3')
  expect(violations, `seed ${seed}, logs in ${home}`).toEqual([])
  for (const what of ['kill', 'suspend', 'cut amid', 'finished tus', 'finished ietf']) {
    expect(counts[what], what).toBeGreaterThan(0)
  }
})
