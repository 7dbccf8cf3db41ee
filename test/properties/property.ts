import fc from 'fast-check'
import type { StoreComposer } from 'tuskit'
import {
  Create,
  CreateFinal,
  Delete,
  Get,
  Head,
  Patch,
  type Step,
  type Target,
} from './commands.js'
import { Model, type Chunk, type CreateRequest, type PatchRequest } from './model.js'
import { Cut, TakeOver, Together, type Beginning } from './races.js'
import { compare } from './send.js'
import { Site } from './site.js'

const mostly = <const T>(usual: T, ...others: readonly [T, ...T[]]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, fc.constantFrom<T[]>(...others))

/** Small ones, about one batch of tiny pieces, and more than one read of a socket. */
const size = fc.oneof(
  { withCrossShrink: true },
  { weight: 6, arbitrary: fc.nat(20) },
  { weight: 2, arbitrary: fc.integer({ min: 4_000, max: 5_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 70_000 }) },
)

const client = fc.nat(2)
const number = fc.oneof({ weight: 3, arbitrary: fc.nat(1) }, fc.nat(4))
const target: fc.Arbitrary<Target> = fc.record({ client, number })

const chunk: fc.Arbitrary<Chunk> = fc.record({
  size,
  chunked: mostly(false, true),
  checksum: fc.oneof(
    { weight: 6, arbitrary: fc.constant('none' as const) },
    { weight: 2, arbitrary: fc.constantFrom('right' as const, 'wrong' as const) },
    { weight: 1, arbitrary: fc.constantFrom('unknown' as const, 'malformed' as const) },
  ),
})

const creation: fc.Arbitrary<CreateRequest> = fc
  .record({
    missing: fc.oneof({ weight: 4, arbitrary: size }, fc.constant('deferred' as const)),
    partial: fc.boolean(),
    metadata: mostly('', 'k', 'name aGk=,k'),
    chunk: fc.option(chunk, { nil: undefined, freq: 1 }),
    /** A length that the chunk goes beyond. */
    short: mostly(false, true),
    flaw: mostly('none', 'version', 'no length', 'both lengths', 'metadata', 'too long'),
  })
  .map(({ missing, short, ...request }) => {
    const size = short ? 0 : (request.chunk?.size ?? 0)
    return { ...request, length: missing === 'deferred' ? missing : size + missing }
  })

const patch: fc.Arbitrary<PatchRequest> = fc.record({
  shift: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 3 })),
  declares: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 2, arbitrary: fc.constant(0) },
    fc.integer({ min: -3, max: 20 }),
  ),
  fills: fc.boolean(),
  chunk,
  flaw: mostly('none', 'version', 'type', 'offset'),
})

const beginning: fc.Arbitrary<Beginning> = fc
  .record({ sent: size, unsent: fc.integer({ min: 1, max: 9 }), checksum: mostly('none', 'right') })
  .map(({ unsent, ...rest }) => ({ ...rest, size: rest.sent + unsent }))

const range = fc.record({
  first: fc.option(fc.nat(30), { nil: undefined }),
  last: fc.option(fc.nat(30), { nil: undefined }),
})

const rival = fc.oneof({ weight: 4, arbitrary: patch }, fc.constant('delete' as const))
const others = fc.oneof({ weight: 3, arbitrary: rival }, fc.constant('head' as const))
const parts = fc.array(number, { minLength: 1, maxLength: 3 })

const create = fc.tuple(client, creation).map((values) => new Create(...values))
const append = fc.tuple(target, patch).map((values) => new Patch(...values))
const join = fc.tuple(client, parts).map((values) => new CreateFinal(...values))
const interruptions = [
  fc
    .tuple(target, beginning, fc.constantFrom('end' as const, 'reset' as const))
    .map((values) => new Cut(...values)),
  fc.tuple(target, beginning, rival).map((values) => new TakeOver(...values)),
  fc.tuple(number, fc.tuple(rival, others)).map((values) => new Together(...values)),
]
const steps: fc.Arbitrary<Step>[] = [
  ...[create, create, create],
  ...[append, append, append, append],
  ...interruptions,
  ...interruptions,
  join,
  join,
  target.map((on) => new Head(on)),
  target.map((on) => new Delete(on)),
  fc.tuple(target, fc.option(range, { nil: undefined })).map((values) => new Get(...values)),
]

/**
 * Whatever several clients ask of a server, it answers as the model does. A sound server needs milliseconds for what a
 * step waits for; `patience` keeps a broken one from making a history endless.
 */
export function agreesWithModel(compose: () => Promise<StoreComposer>, patience = 5_000) {
  return fc.asyncProperty(
    fc.commands(steps, { maxCommands: 40, size: 'max' }),
    async (commands) => {
      const site = await Site.open(await compose(), patience)
      const model = new Model()
      try {
        await fc.asyncModelRun(() => ({ model, real: site }), commands)
        await compare(model, site)
      } finally {
        await site.close()
      }
    },
  )
}
