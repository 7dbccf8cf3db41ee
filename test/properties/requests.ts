import type { Chunk, Model, ModelUpload, Outcome } from './model.js'
import { concatHeader } from './send.js'
import type { Sent, Site } from './site.js'

/** Who asks for which upload. */
export interface Target {
  readonly client: number
  readonly number: number
  /** Whether it may be one that is gone, or that the other protocol made. */
  readonly strays: boolean
}

/** The upload that a request is for. */
export interface Subject {
  readonly upload: ModelUpload
  readonly path: string
  /** `Upload-Concat`, as the server has to tell it. */
  readonly concat: string | undefined
  /** Makes bytes to send. */
  fill(size: number): Buffer
}

export function subject(model: Model, site: Site, number: number): Subject {
  const upload = model.uploads[number]!
  const concat = concatHeader(site, upload)
  return { upload, path: site.paths[number]!, concat, fill: (size) => model.fill(size) }
}

/** A request to an upload that exists, of either protocol. It can come alone, or meet another one. */
export interface UploadRequest {
  readonly protocol: 'tus' | 'draft'
  /** Whether its body has no Content-Length. */
  readonly chunked: boolean
  /** Whether it leaves the upload as small as it has to stay. */
  fits(upload: ModelUpload): boolean
  /** Whether it ends whoever is writing the upload. */
  disturbs(upload: ModelUpload): boolean
  prepare(subject: Subject): Prepared
  /** What it is in a counterexample. */
  text(number: number): string
}

/** A request as it goes over the wire, and what the model makes of it. */
export interface Prepared {
  readonly sent: Sent
  readonly bytes: Buffer
  /** `needed`: whether a final upload waits for this one. */
  outcome(upload: ModelUpload, needed: boolean): Outcome
  /** The upload when the body begins to count; `undefined` when none of it does. */
  receives(upload: ModelUpload): ModelUpload | undefined
  /** Whether the body counts as a whole or not at all. */
  readonly verified: boolean
}

/** The target of requests, if it is one for all of them. */
export function targetOf(
  { uploads }: Readonly<Model>,
  { number, strays }: Target,
  requests: readonly UploadRequest[],
): ModelUpload | undefined {
  const upload = uploads[number]
  if (upload === undefined || !requests.every((request) => request.fits(upload))) return undefined
  const protocol = upload.kind === 'draft' ? 'draft' : 'tus'
  const isOwn = !upload.gone && requests.every((request) => request.protocol === protocol)
  return isOwn || strays ? upload : undefined
}

/** What a request without a body is prepared to. */
export function bodiless(sent: Sent, outcome: Prepared['outcome']): Prepared {
  return { sent, bytes: Buffer.alloc(0), outcome, receives: () => undefined, verified: false }
}

export function describe({ checksum, chunked, size }: Chunk): string {
  const digest = checksum === 'none' ? '' : `, checksum ${checksum}`
  return `${size} bytes${chunked ? ' (chunked)' : ''}${digest}`
}

/** Where a chunk goes, and how much of it there is. */
export function describePart(shift: number, fills: boolean, chunk: Chunk): string {
  const offset = shift === 0 ? '' : ` at its offset ${shift > 0 ? '+' : '-'} ${Math.abs(shift)}`
  return `${offset} with ${fills ? 'all that is missing, or ' : ''}${describe(chunk)}`
}

export function flawed(flaw: string): string {
  return flaw === 'none' ? '' : `, flaw: ${flaw}`
}
