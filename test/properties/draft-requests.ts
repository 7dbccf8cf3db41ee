import { createHash } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import { lengthField, appendOutcome, receiving, type AppendRequest } from './draft-model.js'
import { cancellationOutcome, downloadOutcome, retrievalOutcome } from './draft-queries.js'
import { completeness, rulesOf, type Version } from './draft-rules.js'
import {
  getOutcome,
  headOutcome,
  type Chunk,
  type ModelUpload,
  type RangeRequest,
} from './model.js'
import {
  bodiless,
  describePart,
  flawed,
  type Prepared,
  type Subject,
  type UploadRequest,
} from './requests.js'
import { rangeHeader, rangeText } from './tus-requests.js'

export function versionHeader(version: Version): OutgoingHttpHeaders {
  return version === undefined ? {} : { 'upload-draft-interop-version': String(version) }
}

export function digestHeaders({ checksum }: Chunk, bytes: Buffer): OutgoingHttpHeaders {
  switch (checksum) {
    case 'none':
      return {}
    case 'right':
      return { 'content-digest': digestField(bytes) }
    case 'wrong':
      return { 'content-digest': digestField(Buffer.concat([bytes, Buffer.from('!')])) }
    case 'unknown':
      return { 'content-digest': 'rot13=:AAAA:' }
    case 'malformed':
      return { 'content-digest': 'sha-256=:AAAA:' }
  }
}

export function digestField(bytes: Buffer): string {
  return `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`
}

export class Append implements UploadRequest {
  readonly protocol = 'draft'
  readonly request: AppendRequest
  readonly chunked: boolean

  constructor(request: AppendRequest) {
    this.request = request
    this.chunked = request.chunk.chunked
  }

  fits(): boolean {
    return true
  }

  disturbs({ kind }: ModelUpload): boolean {
    const { ends, flaw, version } = this.request
    const { absentEnds, typedAppends } = rulesOf(version)
    const isFlawed = flaw === 'offset' || (flaw === 'type' && typedAppends)
    return kind === 'draft' && !isFlawed && (ends !== undefined || absentEnds)
  }

  prepare({ fill, path, upload }: Subject): Prepared {
    const { request } = this
    const { chunk, ends, fills, flaw, shift, version } = request
    const missing = (upload.length ?? NaN) - upload.bytes.length
    const bytes = fill(fills && missing >= 0 ? missing : chunk.size)
    const offset = Math.max(0, upload.bytes.length + shift)
    const length = lengthField(request, bytes, offset)
    const headers = {
      ...versionHeader(version),
      ...(ends !== undefined && completeness(version, ends)),
      'content-type': flaw === 'type' ? 'text/plain' : 'application/partial-upload',
      'upload-offset': flaw === 'offset' ? '-1' : String(offset),
      ...(length !== undefined && { 'upload-length': String(length) }),
      ...digestHeaders(chunk, bytes),
    }
    const claims = { path, offset, length, bytes }
    return {
      sent: { method: 'PATCH', path, headers, body: bytes, chunked: chunk.chunked },
      bytes,
      outcome: (at) => appendOutcome(at, request, claims),
      receives: (at) => receiving(at, request, claims),
      verified: chunk.checksum !== 'none',
    }
  }

  text(number: number): string {
    const { chunk, fills, flaw, shift, version } = this.request
    const part = `${describePart(shift, fills, chunk)}${described(this.request)}`
    return `PATCH${named(version)} ${number}${part}${flawed(flaw)}`
  }
}

/** Describes what a request declares about the end. */
export function described({ declares, ends }: Pick<AppendRequest, 'declares' | 'ends'>): string {
  const said = ends === undefined ? ', not saying whether it is the end' : `, ?${ends ? 1 : 0}`
  return `${said}${declares === undefined ? '' : `, Upload-Length its end + ${declares}`}`
}

/** Names the draft and its version in a counterexample. */
export function named(version: Version): string {
  return ` (draft${version === undefined ? '' : `, version ${version}`})`
}

/** Asks for the offset, or with `GET` and without a version for the content. */
export class Retrieval implements UploadRequest {
  readonly protocol = 'draft'
  readonly method: 'HEAD' | 'GET'
  readonly version: Version
  readonly range: RangeRequest | undefined
  readonly chunked = false

  constructor(method: 'HEAD' | 'GET', version: Version, range: RangeRequest | undefined) {
    this.method = method
    this.version = version
    this.range = range
  }

  fits(): boolean {
    return true
  }

  disturbs({ kind }: ModelUpload): boolean {
    return kind === 'draft'
  }

  prepare({ concat, path }: Subject): Prepared {
    const { method, range, version } = this
    const headers = { ...versionHeader(version), ...rangeHeader(range) }
    const sent = { method, path, headers }
    return bodiless(sent, (upload) => {
      const speaksTus = version === undefined && upload.kind !== 'draft'
      if (method === 'HEAD') {
        if (speaksTus) return headOutcome(upload, concat)
        return retrievalOutcome(upload, version)
      }
      return speaksTus ? getOutcome(upload, range) : downloadOutcome(upload, version, range)
    })
  }

  text(number: number): string {
    return `${this.method}${named(this.version)} ${number}${rangeText(this.range)}`
  }
}

export class Cancellation implements UploadRequest {
  readonly protocol = 'draft'
  readonly version: Version
  readonly chunked = false

  constructor(version: Version) {
    this.version = version
  }

  fits(): boolean {
    return true
  }

  disturbs({ kind }: ModelUpload): boolean {
    return kind === 'draft' || this.version !== undefined
  }

  prepare({ path }: Subject): Prepared {
    const sent = { method: 'DELETE', path, headers: versionHeader(this.version) }
    return bodiless(sent, (upload, needed) => cancellationOutcome(upload, this.version, needed))
  }

  text(number: number): string {
    return `DELETE${named(this.version)} ${number}`
  }
}
