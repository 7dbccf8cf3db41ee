import fc from 'fast-check'
import { Ask, type Step } from './commands.js'
import type { Chunk } from './model.js'
import type { Target, UploadRequest } from './requests.js'

export const mostly = <const T>(usual: T, ...others: readonly [T, ...T[]]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, fc.constantFrom<T[]>(...others))

/** Mostly small sizes, some around one batch of tiny pieces, a few beyond one read of a socket. */
export const size = fc.oneof(
  { withCrossShrink: true },
  { weight: 6, arbitrary: fc.nat(20) },
  { weight: 2, arbitrary: fc.integer({ min: 4_000, max: 5_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 70_000 }) },
)

export const client = fc.nat(2)
export const number = fc.oneof({ weight: 3, arbitrary: fc.nat(1) }, fc.nat(5))

export const target: fc.Arbitrary<Target> = fc.record({
  client,
  number,
  strays: mostly(false, true),
})

export const ask = (request: fc.Arbitrary<UploadRequest>): fc.Arbitrary<Step> =>
  fc.tuple(target, request).map((values) => new Ask(...values))

export const chunk: fc.Arbitrary<Chunk> = fc.record({
  size,
  chunked: mostly(false, true),
  checksum: fc.oneof(
    { weight: 6, arbitrary: fc.constant('none' as const) },
    { weight: 2, arbitrary: fc.constantFrom('right' as const, 'wrong' as const) },
    { weight: 1, arbitrary: fc.constantFrom('unknown' as const, 'malformed' as const) },
  ),
})

export const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

export const shift = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  fc.integer({ min: -3, max: 3 }),
)

export const range = maybe(fc.record({ first: maybe(fc.nat(30)), last: maybe(fc.nat(30)) }))

/** How many bytes of a body are sent before an interruption, and how many remain. */
export const split = fc.record({ sent: size, unsent: fc.integer({ min: 1, max: 9 }) })

export const ending = fc.constantFrom('end' as const, 'reset' as const)
