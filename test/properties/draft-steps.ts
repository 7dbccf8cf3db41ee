import fc from 'fast-check'
import {
  ask,
  chunk,
  client,
  ending,
  mostly,
  number,
  range,
  shift,
  size,
  split,
} from './arbitraries.js'
import type { Step } from './commands.js'
import { DraftCreate, DraftCreateCut, Options } from './draft-commands.js'
import type { AppendRequest, DraftCreateRequest } from './draft-model.js'
import { Append, Cancellation, Retrieval, versionHeader } from './draft-requests.js'
import type { Version } from './draft-rules.js'
import type { Beginning } from './races.js'
import type { UploadRequest } from './requests.js'

const version = fc.constantFrom<Version[]>(9, undefined, 8, 7, 6, 5, 4, 3, 99)

/** `Upload-Length`, counted from the end of a body. */
const declares = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: size },
  fc.integer({ min: -3, max: -1 }),
)

const creation: fc.Arbitrary<DraftCreateRequest> = fc.record({
  method: fc.constantFrom('POST' as const, 'PUT' as const, 'PATCH' as const),
  version,
  ends: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
  declares: fc.oneof({ weight: 9, arbitrary: declares }, fc.constant(500_000)),
  chunk,
  whole: mostly('none', 'right', 'wrong'),
  flaw: mostly('none', 'offset', 'not said'),
})

const appendRequest: fc.Arbitrary<AppendRequest> = fc.record({
  version,
  shift,
  ends: fc.oneof({ weight: 5, arbitrary: fc.boolean() }, fc.constant(undefined)),
  declares: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, declares),
  fills: fc.boolean(),
  chunk,
  flaw: mostly('none', 'type', 'offset'),
})

const append: fc.Arbitrary<UploadRequest> = appendRequest.map((request) => new Append(request))
/** Repeats the request for the response to a completing append, if that was the last one. */
const replay: fc.Arbitrary<UploadRequest> = fc.record({ request: appendRequest, version }).map(
  ({ request, version }) =>
    new Append({
      ...request,
      version,
      ends: true,
      fills: false,
      chunk: { ...request.chunk, size: 0 },
    }),
)
const retrieval: fc.Arbitrary<UploadRequest> = fc
  .tuple(fc.constantFrom('HEAD' as const, 'GET' as const), version, range)
  .map(([method, ...values]) => new Retrieval(method, ...values))
const cancellation: fc.Arbitrary<UploadRequest> = version.map((values) => new Cancellation(values))

/** An append that begins and breaks off. */
export const draftBeginning: fc.Arbitrary<Beginning> = fc
  .record({
    split,
    request: appendRequest,
    checksum: mostly('none', 'right'),
    declares: mostly(undefined, 0, 9),
  })
  .map(({ split: { sent, unsent }, checksum, declares, request }) => {
    const whole = { ...request.chunk, size: sent + unsent, checksum }
    const sound = { shift: 0, flaw: 'none', declares, chunk: whole } as const
    return { request: new Append({ ...request, ...sound }), sent }
  })

/** Requests that may interrupt it. */
export const draftRival = fc.oneof(
  { weight: 4, arbitrary: append },
  { weight: 3, arbitrary: retrieval },
  cancellation,
)

const create = fc.tuple(client, creation).map((values) => new DraftCreate(...values))
const cut = fc
  .tuple(client, creation, split, fc.oneof(ending, fc.constant('HEAD' as const)))
  .map(([at, request, { sent, unsent }, end]) => {
    const whole = { ...request.chunk, size: sent + unsent }
    return new DraftCreateCut(at, { ...request, chunk: whole }, sent, end)
  })
const markers = fc.record({ completes: fc.boolean(), version })
const options = fc
  .tuple(client, fc.option(number, { nil: undefined }), markers)
  .map(([at, on, { completes, version }]) => {
    const headers = { ...versionHeader(version), ...(completes && { 'upload-complete': '?0' }) }
    return new Options(at, on, headers)
  })

export const draftSteps: readonly fc.Arbitrary<Step>[] = [
  ...[create, create, create, cut],
  ...[ask(append), ask(append), ask(append), ask(append)],
  ...[ask(replay), ask(retrieval), ask(retrieval), ask(cancellation)],
  options,
]
