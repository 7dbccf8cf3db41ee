import { expect } from 'vitest'
import { line, type Step } from './commands.js'
import type { Model, ModelUpload } from './model.js'
import { subject, targetOf, type Prepared, type Target, type UploadRequest } from './requests.js'
import { adopt, agreed, expectedHead, grown, head, untilTaken } from './send.js'
import type { Open, Site } from './site.js'

/** An append of which the server gets the beginning only. */
export interface Beginning {
  readonly request: UploadRequest
  readonly sent: number
}

/** An append in progress, and the bytes that have arrived. */
interface Begun {
  readonly open: Open
  readonly prepared: Prepared
  /** The missing bytes of the body. */
  readonly rest: Buffer
  /** The upload with the bytes that count already. */
  readonly upload: ModelUpload
}

/** Returns an append that fits the upload, so that only the interruption ends it. */
function rehearse(
  model: Readonly<Model>,
  target: Target,
  { request, sent }: Beginning,
): Prepared | undefined {
  const upload = targetOf(model, target, [request])
  if (upload === undefined) return undefined
  const fill = (size: number) => Buffer.alloc(size)
  const prepared = request.prepare({ upload, path: '', concat: undefined, fill })
  const isTaken = sent < prepared.bytes.length && prepared.receives(upload) !== undefined
  return isTaken ? prepared : undefined
}

async function begin(
  model: Model,
  site: Site,
  number: number,
  { request, sent }: Beginning,
): Promise<Begun> {
  const prepared = request.prepare(subject(model, site, number))
  const { bytes, receives, verified } = prepared
  const declared = receives(model.uploads[number]!)!
  const open = await site.begin(prepared.sent, sent)
  const upload = verified ? declared : grown(declared, bytes.subarray(0, sent))
  return { open, prepared, rest: bytes.subarray(sent), upload }
}

/** Checks that a request with an unfinished body has ended. */
export async function ended({ reply }: Open): Promise<void> {
  const first = await reply
  if (first !== 'cut') expect(first.status, 'the interrupted request').toBe(503)
}

/**
 * Whether a chunk is refused without ending the current append, because its offset is below what is
 * stored.
 */
function isOutdated({ sent }: Prepared, { bytes }: ModelUpload): boolean {
  return Number(sent.headers['upload-offset']) < bytes.length
}

/**
 * A client that vanishes in the middle of a body. The received bytes count, unless they cannot be
 * verified.
 */
export class Cut implements Step {
  readonly target: Target
  readonly beginning: Beginning
  readonly ending: 'end' | 'reset'

  constructor(target: Target, beginning: Beginning, ending: 'end' | 'reset') {
    this.target = target
    this.beginning = beginning
    this.ending = ending
  }

  check(model: Readonly<Model>): boolean {
    return rehearse(model, this.target, this.beginning) !== undefined
  }

  async run(model: Model, site: Site): Promise<void> {
    const { number } = this.target
    const { open, upload } = await begin(model, site, number, this.beginning)
    if (this.ending === 'reset') {
      // A reset overtakes bytes that are still on their way.
      await open.arrived
      await untilTaken(site, number, upload, upload.bytes.length)
      open.request.socket!.resetAndDestroy()
    } else {
      open.request.socket!.end()
    }
    await open.reply
    await site.idle()
    agreed(await head(site, number, upload), expectedHead(site, upload))
    await adopt(model, site, number, upload)
  }

  toString(): string {
    const { request, sent } = this.beginning
    const { client, number } = this.target
    return line(client, `${request.text(number)}, ${this.ending} after ${sent} bytes`)
  }
}

/**
 * A request that comes while another client is in the middle of its body. It either ends that body
 * or changes nothing.
 */
export class Meet implements Step {
  readonly target: Target
  readonly beginning: Beginning
  readonly rival: UploadRequest

  constructor(target: Target, beginning: Beginning, rival: UploadRequest) {
    this.target = target
    this.beginning = beginning
    this.rival = rival
  }

  check(model: Readonly<Model>): boolean {
    const first = rehearse(model, this.target, this.beginning)
    // Verified bytes count only together, so nothing shows that they have arrived.
    if (first === undefined || first.verified || this.beginning.sent === 0) return false
    return targetOf(model, this.target, [this.rival]) !== undefined
  }

  async run(model: Model, site: Site): Promise<void> {
    const { rival } = this
    const { client, number } = this.target
    const before = model.uploads[number]!
    const { open, prepared, rest, upload } = await begin(model, site, number, this.beginning)
    await untilTaken(site, number, upload, upload.bytes.length)
    model.uploads[number] = upload
    const second = rival.prepare(subject(model, site, number))
    const outcome = second.outcome(upload, model.isNeeded(number))
    const after = agreed(await site.send(client, second.sent), outcome, second.bytes)!
    // Nothing more of an ended body gets through.
    open.request.end(rest)
    if (rival.disturbs(upload) && !isOutdated(second, upload)) {
      await ended(open)
      await adopt(model, site, number, after)
    } else {
      const whole = prepared.outcome(before, model.isNeeded(number))
      await adopt(model, site, number, agreed(await open.reply, whole, prepared.bytes)!)
    }
  }

  toString(): string {
    const { request, sent } = this.beginning
    const { client, number } = this.target
    const first = `${request.text(number)}, of which it has sent ${sent} bytes`
    return line(client, `${this.rival.text(number)}, while another client does ${first}`)
  }
}
