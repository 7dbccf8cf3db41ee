import { expect } from 'vitest'
import {
  deletion,
  expectedDelete,
  line,
  mayGrow,
  patchText,
  type Step,
  type Target,
} from './commands.js'
import {
  deleteOutcome,
  isFull,
  maxPartial,
  maxSize,
  patchOutcome,
  type Model,
  type ModelUpload,
  type Outcome,
  type PatchRequest,
} from './model.js'
import {
  adopt,
  agreed,
  checksumHeaders,
  grown,
  head,
  preparePatch,
  toldOffset,
  untilTold,
  type PreparedPatch,
} from './send.js'
import { difference, type Reply, type Sent, type Site } from './site.js'

/** A PATCH of which the server gets the beginning only. */
export interface Beginning {
  readonly size: number
  readonly sent: number
  readonly checksum: 'none' | 'right'
}

/** Whether the upload has room for it, so that nothing but the interruption ends it. */
function takes(upload: ModelUpload | undefined, { sent, size }: Beginning): boolean {
  if (upload === undefined || upload.gone || upload.kind === 'final' || sent >= size) return false
  const limit = upload.kind === 'partial' ? maxPartial : maxSize
  return upload.bytes.length + size <= (upload.length ?? limit)
}

async function begin(model: Model, site: Site, number: number, beginning: Beginning) {
  const { size, sent, checksum } = beginning
  const chunk = { size, chunked: false, checksum }
  const bytes = model.fill(size)
  const offset = model.uploads[number]!.bytes.length
  const headers = {
    'tus-resumable': '1.0.0',
    'content-type': 'application/offset+octet-stream',
    'content-length': size,
    'upload-offset': String(offset),
    ...checksumHeaders(chunk, bytes),
  }
  const path = site.paths[number]!
  const body = bytes.subarray(0, sent)
  const open = await site.begin({ method: 'PATCH', path, headers, body })
  return {
    ...open,
    rest: bytes.subarray(sent),
    stored: checksum === 'none' ? body : bytes.subarray(0, 0),
  }
}

/** A client that vanishes in the middle: what the server got counts, unless it cannot be verified. */
export class Cut implements Step {
  readonly target: Target
  readonly beginning: Beginning
  readonly ending: 'end' | 'reset'

  constructor(target: Target, beginning: Beginning, ending: 'end' | 'reset') {
    this.target = target
    this.beginning = beginning
    this.ending = ending
  }

  check({ uploads }: Readonly<Model>): boolean {
    return takes(uploads[this.target.number], this.beginning)
  }

  async run(model: Model, site: Site): Promise<void> {
    const { number } = this.target
    const upload = model.uploads[number]!
    const { request, reply, stored } = await begin(model, site, number, this.beginning)
    const after = grown(upload, stored)
    if (this.ending === 'reset') {
      // A reset overtakes bytes that are on their way, so they must have arrived.
      await untilTold(site, number, (offset) => offset === after.bytes.length)
      request.socket!.resetAndDestroy()
    } else {
      request.socket!.end()
    }
    await reply
    await site.idle()
    expect(await toldOffset(site, number), 'the offset after the cut').toBe(after.bytes.length)
    await adopt(model, site, number, after)
  }

  toString(): string {
    const { checksum, sent, size } = this.beginning
    const digest = checksum === 'none' ? '' : ' with a checksum'
    const { client, number } = this.target
    return line(client, `PATCH ${number}${digest}, ${this.ending} after ${sent} of ${size} bytes`)
  }
}

/** A client that takes over from another that is in the middle of its body. */
export class TakeOver implements Step {
  readonly target: Target
  readonly beginning: Beginning
  readonly rival: PatchRequest | 'delete'

  constructor(target: Target, beginning: Beginning, rival: PatchRequest | 'delete') {
    this.target = target
    this.beginning = { ...beginning, checksum: 'none' }
    this.rival = rival
  }

  check({ uploads }: Readonly<Model>): boolean {
    const upload = uploads[this.target.number]
    if (!takes(upload, this.beginning) || this.beginning.sent === 0) return false
    return this.rival === 'delete' || this.rival.flaw === 'none'
  }

  async run(model: Model, site: Site): Promise<void> {
    const { client, number } = this.target
    const { reply, request, rest, stored } = await begin(model, site, number, this.beginning)
    const upload = grown(model.uploads[number]!, stored)
    await untilTold(site, number, (offset) => offset === upload.bytes.length)
    model.uploads[number] = upload
    const rival =
      this.rival === 'delete'
        ? { sent: deletion(site, number), expected: expectedDelete(model, number), bytes: rest }
        : rivalPatch(preparePatch(model, site, number, this.rival), upload)
    const after = agreed(await site.send(client, rival.sent), rival.expected, rival.bytes)!
    // One that has been cut does not get through any more.
    request.end(rest)
    const first = await reply
    if (first !== 'cut') expect(first.status, 'the one that was taken over').toBe(503)
    await adopt(model, site, number, after)
  }

  toString(): string {
    const { sent, size } = this.beginning
    const { client, number } = this.target
    const rival = this.rival === 'delete' ? `DELETE ${number}` : patchText(number, this.rival)
    return line(client, `${rival}, while somebody has sent ${sent} of ${size} bytes`)
  }
}

function rivalPatch(prepared: PreparedPatch, upload: ModelUpload) {
  const { bytes, request, sent } = prepared
  return { sent, expected: patchOutcome(upload, request, prepared), bytes }
}

/** One of two requests that are sent at the same time. */
interface Contender {
  readonly reply: Reply
  readonly bytes: Buffer
  readonly request: PatchRequest | 'delete'
  outcomes(upload: ModelUpload): Outcome[]
}

/** Two clients at once. One comes first; if that is a PATCH, the other may interrupt it. */
export class Together implements Step {
  readonly number: number
  readonly requests: readonly [PatchRequest | 'delete', PatchRequest | 'delete' | 'head']

  constructor(number: number, requests: Together['requests']) {
    this.number = number
    this.requests = requests
  }

  check({ uploads }: Readonly<Model>): boolean {
    const upload = uploads[this.number]
    // Two declarations and a body without a size at once have more outcomes than are worth telling apart.
    return (
      this.requests.every(
        (request) =>
          typeof request === 'string' || (!request.chunk.chunked && mayGrow(upload, request)),
      ) &&
      upload !== undefined &&
      (upload.kind !== 'partial' || upload.length !== undefined)
    )
  }

  async run(model: Model, site: Site): Promise<void> {
    const { number } = this
    const before = model.uploads[number]!
    const needed = model.isNeeded(number)
    const [first, second] = (await Promise.all(
      this.requests.map(async (request, client) => {
        if (request === 'head') return { reply: await head(site, number, client) }
        const prepared =
          request === 'delete' ? undefined : preparePatch(model, site, number, request)
        const sent: Sent = prepared?.sent ?? deletion(site, number)
        const reply = await site.send(client, sent)
        const bytes = prepared?.bytes ?? Buffer.alloc(0)
        const outcomes = (upload: ModelUpload) =>
          prepared === undefined
            ? deletions(upload, needed)
            : [patchOutcome(upload, prepared.request, prepared)]
        return { reply, bytes, request, outcomes }
      }),
    )) as [Contender, Contender | { reply: Reply }]
    await site.idle()
    const told = await toldOffset(site, number)
    const candidates =
      'outcomes' in second
        ? [...inOrder(before, first, second, told), ...inOrder(before, second, first, told)]
        : whole(before, first)
    const after = candidates.find(
      (upload) => upload.gone || upload.kind === 'final' || upload.bytes.length === told,
    )
    const summary = [first.reply, second.reply].map((reply) =>
      reply === 'cut' ? reply : reply.status,
    )
    if (after === undefined) {
      expect.fail(`No order explains ${summary.join(' and ')} and then the offset ${told}`)
    }
    await adopt(model, site, number, after)
  }

  toString(): string {
    const texts = this.requests.map((request) =>
      typeof request === 'string'
        ? `${request.toUpperCase()} ${this.number}`
        : patchText(this.number, request),
    )
    return `\n  at once: ${texts.join('\n      and: ')}`
  }
}

/** A final upload does not need a part any more as soon as it is joined, which may be before or after. */
function deletions(upload: ModelUpload, needed: boolean): Outcome[] {
  const joined = needed && isFull(upload)
  return (joined ? [true, false] : [needed]).map((still) => deleteOutcome(upload, still))
}

/** The upload after one request that nothing interrupted; empty when the answer is not one for that. */
function whole(before: ModelUpload, { outcomes, reply }: Contender): ModelUpload[] {
  const fitting = outcomes(before).filter((outcome) => difference(reply, outcome) === undefined)
  return fitting.map(({ upload }) => upload!)
}

/** What the upload may be after two requests in this order. */
function inOrder(
  before: ModelUpload,
  first: Contender,
  second: Contender,
  told: number | undefined,
): ModelUpload[] {
  const between = [...whole(before, first), ...interrupted(before, first, second, told)]
  return between.flatMap((upload) => whole(upload, second))
}

/** What the upload may be after a PATCH that was cut or answered 503 because another request came. */
function interrupted(
  before: ModelUpload,
  { bytes, outcomes, reply, request }: Contender,
  second: Contender,
  told: number | undefined,
): ModelUpload[] {
  if (request === 'delete' || (reply !== 'cut' && reply.status !== 503)) return []
  const [expected] = outcomes(before)
  // One that takes the lock; a wrong checksum is not found out when the body does not come to its end.
  const status = expected?.statuses[0]
  if (expected === undefined || (status !== 204 && status !== 460)) return []
  const declared = { ...before, length: expected.upload!.length }
  if (request.chunk.checksum !== 'none') return [declared]
  const brought =
    second.request === 'delete' || second.reply === 'cut' || second.reply.status !== 204
  const kept = (told ?? 0) - before.bytes.length - (brought ? 0 : second.bytes.length)
  if (told !== undefined && (kept < 0 || kept > bytes.length)) return []
  return [grown(declared, bytes.subarray(0, Math.max(0, kept)))]
}
