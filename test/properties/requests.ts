import type { Chunk, Model, ModelUpload, Outcome } from './model.js'
import { concatHeader } from './send.js'
import type { Sent, Site } from './site.js'

/** A client, and the upload that it requests. */
export interface Target {
  readonly client: number
  readonly number: number
  /** Whether the upload may be removed, or be one of the other protocol. */
  readonly strays: boolean
}

/** The upload of a request. */
export interface Subject {
  readonly upload: ModelUpload
  readonly path: string
  /** The value of `Upload-Concat` that the server must return. */
  readonly concat: string | undefined
  /** Makes bytes to send. */
  fill(size: number): Buffer
}

export function subject(model: Model, site: Site, number: number): Subject {
  const upload = model.uploads[number]!
  const concat = concatHeader(site, upload)
  return { upload, path: site.paths[number]!, concat, fill: (size) => model.fill(size) }
}

/** A request of either protocol to an existing upload. It comes alone or meets another one. */
export interface UploadRequest {
  readonly protocol: 'tus' | 'draft'
  /** Whether its body has no Content-Length. */
  readonly chunked: boolean
  /** Whether it keeps the upload below the size that the model allows. */
  fits(upload: ModelUpload): boolean
  /** Whether it ends the request that is writing the upload. */
  disturbs(upload: ModelUpload): boolean
  prepare(subject: Subject): Prepared
  /** Describes it in a counterexample. */
  text(number: number): string
}

/** A request as sent, and its effect on the model. */
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

/** Returns the upload that all requests can be sent to, if there is one. */
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

/** Prepares a request without a body. */
export function bodiless(sent: Sent, outcome: Prepared['outcome']): Prepared {
  return { sent, bytes: Buffer.alloc(0), outcome, receives: () => undefined, verified: false }
}

export function describe({ checksum, chunked, size }: Chunk): string {
  const digest = checksum === 'none' ? '' : `, checksum ${checksum}`
  return `${size} bytes${chunked ? ' (chunked)' : ''}${digest}`
}

/** Describes the offset and the size of a chunk. */
export function describePart(shift: number, fills: boolean, chunk: Chunk): string {
  const offset = shift === 0 ? '' : ` at its offset ${shift > 0 ? '+' : '-'} ${Math.abs(shift)}`
  return `${offset} with ${fills ? 'all that is missing, or ' : ''}${describe(chunk)}`
}

export function flawed(flaw: string): string {
  return flaw === 'none' ? '' : `, flaw: ${flaw}`
}
