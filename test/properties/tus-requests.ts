import {
  deleteOutcome,
  headByGetOutcome,
  headOutcome,
  maxPartial,
  patchOutcome,
  type ModelUpload,
  type PatchRequest,
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
import { checksumHeaders, tus } from './send.js'

export class Patch implements UploadRequest {
  readonly protocol = 'tus'
  readonly request: PatchRequest
  readonly chunked: boolean

  constructor(request: PatchRequest) {
    this.request = request
    this.chunked = request.chunk.chunked
  }

  /** Whether a partial upload of unknown length stays small enough. */
  fits({ bytes, kind, length }: ModelUpload): boolean {
    if (kind !== 'partial' || length !== undefined) return true
    const { chunk, declares = 0, shift } = this.request
    return bytes.length + chunk.size + Math.max(0, declares) + Math.max(0, shift) <= maxPartial
  }

  disturbs({ kind }: ModelUpload): boolean {
    return this.request.flaw === 'none' && kind !== 'draft'
  }

  prepare({ fill, path, upload }: Subject): Prepared {
    const { request } = this
    const { chunk, flaw } = request
    const missing = (upload.length ?? NaN) - upload.bytes.length
    const bytes = fill(request.fills && missing >= 0 ? missing : chunk.size)
    const offset = Math.max(0, upload.bytes.length + request.shift)
    const length =
      request.declares === undefined
        ? undefined
        : Math.max(0, offset + bytes.length + request.declares)
    const headers = {
      'tus-resumable': flaw === 'version' ? '0.2.2' : '1.0.0',
      'content-type': flaw === 'type' ? 'text/plain' : 'application/offset+octet-stream',
      'upload-offset': flaw === 'offset' ? '0x0' : String(offset),
      ...(length !== undefined && { 'upload-length': String(length) }),
      ...checksumHeaders(chunk, bytes),
    }
    const outcome = (at: ModelUpload) => patchOutcome(at, request, { offset, length, bytes })
    return {
      sent: { method: 'PATCH', path, headers, body: bytes, chunked: chunk.chunked },
      bytes,
      outcome,
      receives(at) {
        const { statuses, upload } = outcome(at)
        // A wrong checksum is not found when the body breaks off.
        if (statuses[0] !== 204 && statuses[0] !== 460) return undefined
        return { ...at, length: upload!.length }
      },
      verified: chunk.checksum !== 'none',
    }
  }

  text(number: number): string {
    const { chunk, declares, fills, flaw, shift } = this.request
    const end = declares === undefined ? '' : `, declaring the length as its end + ${declares}`
    return `PATCH ${number}${describePart(shift, fills, chunk)}${end}${flawed(flaw)}`
  }
}

/** A request that changes nothing, or removes an upload. */
abstract class Bodiless {
  readonly protocol = 'tus'
  readonly chunked = false

  fits(): boolean {
    return true
  }
}

export class Head extends Bodiless implements UploadRequest {
  disturbs(): boolean {
    return false
  }

  prepare({ concat, path }: Subject): Prepared {
    const sent = { method: 'HEAD', path, headers: tus }
    return bodiless(sent, (upload) => headOutcome(upload, concat))
  }

  text(number: number): string {
    return `HEAD ${number}`
  }
}

export class Delete extends Bodiless implements UploadRequest {
  disturbs(): boolean {
    return true
  }

  prepare({ path }: Subject): Prepared {
    return bodiless({ method: 'DELETE', path, headers: tus }, deleteOutcome)
  }

  text(number: number): string {
    return `DELETE ${number}`
  }
}

export class Get extends Bodiless implements UploadRequest {
  readonly range: RangeRequest | undefined

  constructor(range: RangeRequest | undefined) {
    super()
    this.range = range
  }

  disturbs(): boolean {
    return false
  }

  prepare({ concat, path }: Subject): Prepared {
    const sent = { method: 'GET', path, headers: { ...tus, ...rangeHeader(this.range) } }
    return bodiless(sent, (upload) => headByGetOutcome(upload, concat, this.range))
  }

  text(number: number): string {
    return `GET ${number}${rangeText(this.range)}`
  }
}

export function rangeHeader(range: RangeRequest | undefined) {
  return range && { range: `bytes=${range.first ?? ''}-${range.last ?? ''}` }
}

export function rangeText(range: RangeRequest | undefined): string {
  return range === undefined ? '' : `, bytes ${range.first ?? ''}-${range.last ?? ''}`
}
