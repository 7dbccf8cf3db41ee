import { expect } from 'vitest'
import type { Step } from './commands.js'
import { isFinished, type Model, type ModelUpload } from './model.js'
import { subject, targetOf, type Prepared, type Target, type UploadRequest } from './requests.js'
import { adopt, expectedHead, grown, head, offsetOf } from './send.js'
import { difference, type Reply, type Site } from './site.js'

/** One of two requests that are sent at the same time, and its response. */
interface Contender {
  readonly request: UploadRequest
  readonly prepared: Prepared
  readonly reply: Reply
}

/** The upload before both requests, and the offset that `HEAD` reports after them. */
interface Frame {
  readonly before: ModelUpload
  readonly needed: boolean
  readonly reported: number | undefined
}

/**
 * Requests of two clients at the same time. One comes first; if that is an append, the other may
 * end it.
 */
export class Together implements Step {
  readonly target: Target
  readonly requests: readonly [UploadRequest, UploadRequest]

  constructor(target: Target, requests: readonly [UploadRequest, UploadRequest]) {
    this.target = target
    this.requests = requests
  }

  check(model: Readonly<Model>): boolean {
    const upload = targetOf(model, this.target, this.requests)
    // Two declarations and a body of unknown size have more outcomes at once than are worth
    // distinguishing.
    return (
      upload !== undefined &&
      this.requests.every(({ chunked }) => !chunked) &&
      (upload.kind !== 'partial' || upload.length !== undefined)
    )
  }

  async run(model: Model, site: Site): Promise<void> {
    const { number } = this.target
    const before = model.uploads[number]!
    const needed = model.isNeeded(number)
    const [first, second] = (await Promise.all(
      this.requests.map(async (request, client): Promise<Contender> => {
        const prepared = request.prepare(subject(model, site, number))
        return { request, prepared, reply: await site.send(client, prepared.sent) }
      }),
    )) as [Contender, Contender]
    await site.idle()
    const end = await head(site, number, before)
    const frame = { before, needed, reported: offsetOf(end) }
    const after = [...inOrder(frame, first, second), ...inOrder(frame, second, first)].find(
      (upload) =>
        // A final upload may have been concatenated in the meantime.
        upload.kind === 'final' || difference(end, expectedHead(site, upload)) === undefined,
    )
    if (after === undefined) {
      const [one, other] = [first, second].map(({ reply }) => text(reply))
      expect.fail(`No order explains ${one} and ${other} and then HEAD with ${text(end)}`)
    }
    await adopt(model, site, number, after)
  }

  toString(): string {
    const texts = this.requests.map((request) => request.text(this.target.number))
    return `\n  at once: ${texts.join('\n      and: ')}`
  }
}

function text(reply: Reply): string {
  const offset = offsetOf(reply)
  if (reply === 'cut') return reply
  return `${reply.status}${offset === undefined ? '' : ` at ${offset}`}`
}

/** Returns the possible states of the upload after two requests in this order. */
function inOrder(frame: Frame, first: Contender, second: Contender): ModelUpload[] {
  const { before, needed } = frame
  const between = [...whole(before, needed, first), ...interrupted(frame, first, second)]
  return between.flatMap((upload) => whole(upload, needed, second))
}

/** Returns the upload after one uninterrupted request; empty when the response does not fit. */
function whole(
  before: ModelUpload,
  needed: boolean,
  { prepared, reply }: Contender,
): ModelUpload[] {
  // A tus `HEAD` does not wait for the lock, so it may report a state in between.
  const peeks = prepared.sent.method === 'HEAD' && before.kind !== 'draft'
  if (peeks && reply !== 'cut' && [200, 423].includes(reply.status)) return [before]
  // A final upload stops needing a part once it is concatenated, which may be before or after.
  const joined = needed && isFinished(before)
  return (joined ? [true, false] : [needed])
    .map((still) => prepared.outcome(before, still))
    .filter((outcome) => difference(reply, outcome) === undefined)
    .map(({ upload }) => upload!)
}

/**
 * Returns the possible states of the upload after an append that was cut, or got 503, because
 * another request came.
 */
function interrupted(
  { before, needed, reported }: Frame,
  { prepared, reply }: Contender,
  second: Contender,
): ModelUpload[] {
  if (reply !== 'cut' && reply.status !== 503) return []
  const { bytes, outcome, receives, verified } = prepared
  const declared = receives(before)
  if (declared === undefined || !second.request.disturbs(before)) return []
  // All bytes had arrived, so nothing was left to interrupt.
  const all = bytes.length > 0 && !verified ? [outcome(before, needed).upload!] : []
  if (verified || reported === undefined) return [declared, ...all]
  const isStored = second.reply !== 'cut' && second.reply.status < 300
  const kept = reported - before.bytes.length - (isStored ? second.prepared.bytes.length : 0)
  if (kept < 0 || kept > bytes.length) return []
  return kept === bytes.length && bytes.length > 0
    ? all
    : [grown(declared, bytes.subarray(0, kept))]
}
