import type { OutgoingHttpHeaders } from 'node:http'
import { expect } from 'vitest'
import { created, line, type Step } from './commands.js'
import {
  announcement,
  creating,
  draftCreateOutcome,
  lengthField,
  type DraftCreateRequest,
} from './draft-model.js'
import { optionsOutcome } from './draft-queries.js'
import { described, digestField, digestHeaders, named, versionHeader } from './draft-requests.js'
import { completeness } from './draft-rules.js'
import { maxUploads, type Model } from './model.js'
import { describe, flawed } from './requests.js'
import { ended } from './races.js'
import { adopt, agreed, expectedHead, grown, head, untilTaken } from './send.js'
import type { Sent, Site } from './site.js'

function creationOf(request: DraftCreateRequest, bytes: Buffer): Sent {
  const { chunk, ends, flaw, method, version, whole } = request
  const length = lengthField(request, bytes)
  const headers = {
    ...versionHeader(version),
    ...(flaw !== 'not said' && completeness(version, ends)),
    ...(flaw === 'offset' && { 'upload-offset': '1' }),
    ...(length !== undefined && { 'upload-length': String(length) }),
    ...digestHeaders(chunk, bytes),
    ...(whole === 'right' && { 'repr-digest': digestField(bytes) }),
    ...(whole === 'wrong' && { 'repr-digest': digestField(Buffer.from('!')) }),
  }
  return { method, path: '/files', headers, body: bytes, chunked: chunk.chunked }
}

function creationText(request: DraftCreateRequest): string {
  const { chunk, flaw, method, version, whole } = request
  const digest = whole === 'none' ? '' : `, ${whole} Repr-Digest`
  const what = `${describe(chunk)}${described(request)}${digest}${flawed(flaw)}`
  return `${method}${named(version)} with ${what}`
}

export class DraftCreate implements Step {
  readonly client: number
  readonly request: DraftCreateRequest

  constructor(client: number, request: DraftCreateRequest) {
    this.client = client
    this.request = request
  }

  check({ uploads }: Readonly<Model>): boolean {
    return uploads.length < maxUploads
  }

  async run(model: Model, site: Site): Promise<void> {
    const bytes = model.fill(this.request.chunk.size)
    const outcome = draftCreateOutcome(this.request, bytes)
    const reply = await site.send(this.client, creationOf(this.request, bytes))
    const upload = agreed(reply, outcome, bytes)
    if (reply !== 'cut' && outcome.interim) {
      expect(reply.interims[0]!.location, 'Location of 104').toBe(reply.headers.location)
    }
    await created(model, site, reply, upload)
  }

  toString(): string {
    return line(this.client, creationText(this.request))
  }
}

/** A creation that breaks off after the client got the location. It then asks for the offset. */
export class DraftCreateCut implements Step {
  readonly client: number
  readonly request: DraftCreateRequest
  readonly sent: number
  readonly ending: 'end' | 'reset' | 'HEAD'

  constructor(
    client: number,
    request: DraftCreateRequest,
    sent: number,
    ending: 'end' | 'reset' | 'HEAD',
  ) {
    this.client = client
    this.request = request
    this.sent = sent
    this.ending = ending
  }

  check({ uploads }: Readonly<Model>): boolean {
    const { chunk, version } = this.request
    // Without interim responses, no client would learn where the upload is.
    if (uploads.length >= maxUploads || version === undefined || version === 99) return false
    return this.sent < chunk.size && creating(this.request, Buffer.alloc(chunk.size)) !== undefined
  }

  async run(model: Model, site: Site): Promise<void> {
    const { ending, request, sent } = this
    const bytes = model.fill(request.chunk.size)
    const open = await site.begin(creationOf(request, bytes), sent)
    const announced = await open.announced
    const promised = { ...announcement(request.version), location: expect.any(String) }
    expect(announced, '104').toMatchObject(promised)
    const number = site.paths.push(announced!.location as string) - 1
    const begun = creating(request, bytes)!
    const after = request.chunk.checksum === 'none' ? grown(begun, bytes.subarray(0, sent)) : begun
    if (ending === 'end') {
      open.request.socket!.end()
    } else {
      await untilTaken(site, number, after, after.bytes.length)
      if (ending === 'reset') open.request.socket!.resetAndDestroy()
    }
    if (ending !== 'HEAD') {
      await open.reply
      await site.idle()
    }
    agreed(await head(site, number, after), expectedHead(site, after))
    // Nothing more of an ended body gets through.
    if (ending === 'HEAD') {
      open.request.end(bytes.subarray(sent))
      await ended(open)
    }
    await adopt(model, site, number, after)
  }

  toString(): string {
    const { ending, request, sent } = this
    return line(this.client, `${creationText(request)}, ${ending} after ${sent} bytes`)
  }
}

/** `OPTIONS`, which asks only for what the server supports. */
export class Options implements Step {
  readonly client: number
  readonly number: number | undefined
  readonly headers: OutgoingHttpHeaders

  /** The number of an upload; `undefined` for the URL where uploads are created. */
  constructor(client: number, number: number | undefined, headers: OutgoingHttpHeaders) {
    this.client = client
    this.number = number
    this.headers = headers
  }

  check({ uploads }: Readonly<Model>): boolean {
    return this.number === undefined || this.number < uploads.length
  }

  async run(_: Model, site: Site): Promise<void> {
    const { client, headers, number } = this
    const path = number === undefined ? '/files' : site.paths[number]!
    agreed(
      await site.send(client, { method: 'OPTIONS', path, headers }),
      optionsOutcome(number === undefined),
    )
  }

  toString(): string {
    const headers = Object.entries(this.headers).map(([name, value]) => `, ${name}: ${value}`)
    return line(this.client, `OPTIONS ${this.number ?? '/files'}${headers.join('')}`)
  }
}
