import type { IncomingHttpHeaders } from 'node:http'
import type { Reply } from './send.js'

type Headers = Readonly<Record<string, string>>

/** The description of a file when its upload is created. */
export interface Beginning {
  readonly name: string
  /** The length in bytes. Absent: declared later. */
  readonly length: number | undefined
  /** Whether it is to be concatenated with others. */
  readonly partial: boolean
  /** Whether the body is the whole upload. */
  readonly ends: boolean
}

/** The description of a chunk. */
export interface Continuation {
  readonly offset: number
  readonly length: number | undefined
  /** Whether the body is the last one. */
  readonly ends: boolean
}

/** The protocol of a client. */
export interface Speech {
  readonly protocol: 'tus' | 'ietf'
  /** The headers of each request. */
  readonly marks: Headers
  create(beginning: Beginning): Headers
  append(continuation: Continuation): Headers
  /** The header, or trailer, that holds the digest of a body. */
  readonly digestField: string
  digest(algorithm: string, digest: Buffer): string
  /** Whether a refusal is justified by a wrong digest, or by bytes for a complete upload. */
  deserved(reply: Reply): boolean
  /**
   * Whether a reply says that the upload is complete. `size`: the size of the whole in bytes, if
   * the server knows it.
   */
  saysComplete(reply: Reply, size: number | undefined): boolean
}

export const tus: Speech = {
  protocol: 'tus',
  marks: { 'tus-resumable': '1.0.0' },
  create: ({ name, length, partial }) => ({
    ...(length === undefined
      ? { 'upload-defer-length': '1' }
      : { 'upload-length': String(length) }),
    ...(partial && { 'upload-concat': 'partial' }),
    'upload-metadata': metadata(name),
    'content-type': 'application/offset+octet-stream',
  }),
  append: ({ offset, length }) => ({
    'upload-offset': String(offset),
    ...(length !== undefined && { 'upload-length': String(length) }),
    'content-type': 'application/offset+octet-stream',
  }),
  digestField: 'upload-checksum',
  digest: (algorithm, digest) => `${algorithm} ${digest.toString('base64')}`,
  deserved: ({ status }) => status === 460,
  // An error with the full offset does not say that the upload is finished.
  saysComplete: ({ status, headers }, size) => status < 300 && offsetIn(headers) === size,
}

const digestNames: Headers = { sha1: 'sha', md5: 'md5', sha256: 'sha-256', sha512: 'sha-512' }

/** An interop version of the IETF draft. */
export function draft(version: number): Speech {
  const completeness = version === 3 ? 'upload-incomplete' : 'upload-complete'
  const completes = (ends: boolean) => ({
    [completeness]: ends === (version === 3) ? '?0' : '?1',
  })
  return {
    protocol: 'ietf',
    marks: { 'upload-draft-interop-version': String(version) },
    create: ({ name, length, ends }) => ({
      ...completes(ends),
      ...(length !== undefined && { 'upload-length': String(length) }),
      'content-disposition': `attachment; filename="${name}"`,
    }),
    append: ({ offset, length, ends }) => ({
      ...completes(ends),
      'upload-offset': String(offset),
      ...(length !== undefined && { 'upload-length': String(length) }),
      ...(version >= 6 && { 'content-type': 'application/partial-upload' }),
    }),
    digestField: 'content-digest',
    digest: (algorithm, digest) => `${digestNames[algorithm]}=:${digest.toString('base64')}:`,
    deserved: ({ status, text }) =>
      status === 400 && /#(digest-mismatched-values|completed-upload)"/.test(text),
    saysComplete: ({ headers }) => headers[completeness] === completes(true)[completeness],
  }
}

/** Returns `Upload-Metadata` with the name of a file. */
export function metadata(name: string): string {
  return `filename ${Buffer.from(name).toString('base64')}`
}

/** Returns the offset in a response. */
export function offsetIn(headers: IncomingHttpHeaders): number | undefined {
  const offset = headers['upload-offset']
  return offset === undefined ? undefined : Number(offset)
}
