import { expect, test } from 'vitest'
import { S3Store } from '@tuskit/s3-store'
import { PartPlan, planParts } from '../src/data/part-plan.js'
import { profiles, type S3Profile, type S3Provider } from '../src/providers.js'
import { checkStoreOptions } from '../src/s3-store-options.js'

const MiB = 1_048_576

/** The highest number of a part that an upload of this length needs. */
function highestNumber(length: number, plan: PartPlan): number {
  let part = 0
  while (plan.startOf(part + 1) < length) part++
  return part + 1
}

const services: readonly S3Profile[] = [
  ...Object.values(profiles),
  { ...profiles.aws, maxPartSize: 16 * MiB },
  { ...profiles.aws, maxPartSize: 9_000_001, maxParts: 1_001 },
  { ...profiles.aws, maxParts: 3 },
]

test.each(services)(
  'no length needs more or larger parts than the service allows: %j',
  (service) => {
    const { maxParts, maxPartSize, maxSize } = service
    const most = Math.min(maxSize, maxParts * maxPartSize)
    const bounds = [1, 2, 4].flatMap((n) => [8 * MiB, 64 * MiB, maxPartSize].map((s) => s * n))
    const lengths = [...bounds, ...bounds.map((bound) => (bound / 4) * maxParts), most]
    for (const length of lengths.flatMap((bound) => [bound - 1, bound, bound + 1])) {
      if (length > most) continue
      for (const announced of [length, undefined]) {
        const numbers = planParts(announced, length, 8 * MiB, service)
        const plan = new PartPlan(numbers, service)
        expect(highestNumber(length, plan)).toBeLessThanOrEqual(maxParts)
        expect(plan.sizeOf(maxParts)).toBeLessThanOrEqual(maxPartSize)
      }
    }
  },
)

test.each(Object.keys(profiles) as S3Provider[])(
  'no part of %s is larger than Node can hash at once',
  (provider) => {
    const store = new S3Store({ client: { send: () => {} } as never, bucket: 'b', provider })
    const { profile } = checkStoreOptions({ client: {} as never, bucket: 'b', provider })
    for (const length of [undefined, store.maxSize]) {
      const plan = new PartPlan(planParts(length, store.maxSize, 8 * MiB, profile), profile)
      expect(highestNumber(store.maxSize, plan)).toBeLessThanOrEqual(profile.maxParts)
      expect(plan.sizeOf(profile.maxParts)).toBeLessThan(2 ** 31)
    }
  },
)

test('parts are as large as the README says', () => {
  const GiB = 1024 * MiB
  const { aws } = profiles
  const sizeFor = (length: number) => planParts(length, length, 8 * MiB, aws).size / MiB
  expect([78, 100, 1024, 5 * 1024].map((size) => sizeFor(size * GiB))).toEqual([8, 11, 105, 525])
  const deferred = new PartPlan(planParts(undefined, aws.maxSize, 8 * MiB, aws), {
    maxPartSize: 2 ** 31 - 1,
  })
  expect(deferred.sizeOf(aws.maxParts)).toBe(GiB)
})
