import fc from 'fast-check'
import { ask, chunk, client, mostly, number, range, shift, size, split } from './arbitraries.js'
import { Create, CreateFinal, type Step } from './commands.js'
import type { CreateRequest, PatchRequest } from './model.js'
import type { Beginning } from './races.js'
import type { UploadRequest } from './requests.js'
import { Delete, Get, Head, Patch } from './tus-requests.js'

const creation: fc.Arbitrary<CreateRequest> = fc
  .record({
    missing: fc.oneof({ weight: 4, arbitrary: size }, fc.constant('deferred' as const)),
    partial: fc.boolean(),
    metadata: mostly('', 'k', 'name aGk=,k'),
    chunk: fc.option(chunk, { nil: undefined, freq: 1 }),
    /** Whether the length is smaller than the chunk. */
    short: mostly(false, true),
    flaw: mostly('none', 'version', 'no length', 'both lengths', 'metadata', 'too long'),
  })
  .map(({ missing, short, ...request }) => {
    const size = short ? 0 : (request.chunk?.size ?? 0)
    return { ...request, length: missing === 'deferred' ? missing : size + missing }
  })

const patchRequest: fc.Arbitrary<PatchRequest> = fc.record({
  shift,
  declares: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 2, arbitrary: fc.constant(0) },
    fc.integer({ min: -3, max: 20 }),
  ),
  fills: fc.boolean(),
  chunk,
  flaw: mostly('none', 'version', 'type', 'offset'),
})

const patch: fc.Arbitrary<UploadRequest> = patchRequest.map((request) => new Patch(request))
const remove = fc.constant<UploadRequest>(new Delete())
const head = fc.constant<UploadRequest>(new Head())
const get: fc.Arbitrary<UploadRequest> = range.map((values) => new Get(values))

/** An append that begins and breaks off. */
export const tusBeginning: fc.Arbitrary<Beginning> = fc
  .record({ split, checksum: mostly('none', 'right') })
  .map(({ split: { sent, unsent }, checksum }) => {
    const rest = { shift: 0, declares: undefined, fills: false, flaw: 'none' } as const
    const whole = { size: sent + unsent, chunked: false, checksum }
    return { request: new Patch({ ...rest, chunk: whole }), sent }
  })

/** Requests that may interrupt it. */
export const tusRival = fc.oneof({ weight: 4, arbitrary: patch }, remove, head, get)

const parts = fc.array(number, { minLength: 1, maxLength: 3 })
const create = fc.tuple(client, creation).map((values) => new Create(...values))
const join = fc
  .tuple(client, parts, mostly(false, true))
  .map((values) => new CreateFinal(...values))

export const tusSteps: readonly fc.Arbitrary<Step>[] = [
  ...[create, create, create],
  ...[ask(patch), ask(patch), ask(patch), ask(patch)],
  ...[join, join],
  ...[ask(head), ask(remove), ask(get)],
]
