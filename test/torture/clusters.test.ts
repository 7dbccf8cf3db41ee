import { expect, test } from 'vitest'
import { torture } from './torture.js'

/**
 * The same plan each time, which begins with the faults that the test expects. `TORTURE_SEED`
 * chooses another one, as `npm run torture` does.
 */
const seed = Number(process.env.TORTURE_SEED ?? 92)
const minute = 60_000

test.each([
  ['disk+redis', 'nginx'],
  ['s3+postgres', 'HAProxy'],
  ['s3', 'nginx'],
] as const)(
  'a minute of torture of four servers over %s behind %s breaks no promise',
  { timeout: 15 * minute },
  async (kind, front) => {
    console.log(`torture with TORTURE_SEED=${seed}`)
    const { violations, counts, home } = await torture(
      seed,
      AbortSignal.timeout(minute),
      kind,
      front,
    )
    expect(violations, `seed ${seed}, logs in ${home}`).toEqual([])
    const happened = ['kill', 'suspend', 'cut off amid', 'unplugged', 'rival']
    for (const what of [...happened, 'finished tus', 'finished ietf']) {
      expect(counts[what], what).toBeGreaterThan(0)
    }
  },
)
