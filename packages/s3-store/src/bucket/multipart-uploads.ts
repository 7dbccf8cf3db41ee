import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
  type ChecksumAlgorithm,
} from '@aws-sdk/client-s3'
import type { ByteRange } from 'tuskit'
import type { Client, ObjectParameters } from './bucket.js'
import { etagOf, request, type Call, type Response } from './request.js'

/** A multipart upload. */
export interface Multipart {
  /** Its id. */
  readonly upload: string
  /** The algorithm of the checksums of its parts. Absent if they need none. */
  readonly checksum?: ChecksumAlgorithm
}

/** A stored part of a multipart upload, as its completion names it. */
export interface StoredPart {
  readonly number: number
  readonly etag: string
  readonly checksum?: string
}

/** A part of a multipart upload. */
export interface Part extends StoredPart {
  readonly size: number
}

/** A part that was just sent. */
export interface SentPart extends Part {
  /** How often the client has sent it. */
  readonly attempts: number | undefined
}

/** The requests for multipart uploads of one bucket. */
export class MultipartUploads {
  readonly #client: Client
  readonly #bucket: string

  constructor(client: Client, bucket: string) {
    this.#client = client
    this.#bucket = bucket
  }

  /** Returns a new multipart upload. */
  async create(key: string, signal: AbortSignal, parameters: ObjectParameters): Promise<Multipart> {
    const checksum = parameters.ChecksumAlgorithm ?? (await this.#usualChecksum())
    const command = new CreateMultipartUploadCommand({
      ...parameters,
      ...this.#at(key),
      ...(checksum && { ChecksumAlgorithm: checksum }),
    })
    const { UploadId } = await request(signal, (call) => this.#client.send(command, call))
    return { upload: UploadId!, ...(checksum && { checksum }) }
  }

  /**
   * The checksum that the client adds to each part. S3 wants to know it when the multipart upload
   * is created, and to see it again at the end.
   */
  async #usualChecksum(): Promise<ChecksumAlgorithm | undefined> {
    const when = await this.#client.config.requestChecksumCalculation()
    return when === 'WHEN_SUPPORTED' ? 'CRC32' : undefined
  }

  /** Returns a multipart upload that another program has created. */
  async find(key: string, upload: string, signal: AbortSignal): Promise<Multipart | undefined> {
    const command = new ListPartsCommand({ ...this.#at(key), UploadId: upload, MaxParts: 1 })
    const send = (call: Call) => this.#client.send(command, call)
    const found = await request(signal, send, isNoUpload)
    const checksum = found?.ChecksumAlgorithm
    return found && { upload, ...(checksum && { checksum }) }
  }

  /** Returns the part, or `undefined` if there is no such multipart upload. */
  async putPart(
    key: string,
    { upload, checksum }: Multipart,
    number: number,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<SentPart | undefined> {
    const command = new UploadPartCommand({
      ...{ ...this.#at(key), UploadId: upload, PartNumber: number },
      ...(checksum && { ChecksumAlgorithm: checksum }),
      Body: bytes,
    })
    const send = (call: Call) => this.#client.send(command, call)
    const stored = await request(signal, send, isNoUpload)
    if (stored === undefined) return undefined
    const { attempts } = stored.$metadata
    return { ...storedPart(number, checksum, stored), size: bytes.length, attempts }
  }

  /**
   * Copies an object, or a range of one, into a part. Returns as {@link MultipartUploads.putPart}
   * does, or `undefined` if there is no such object.
   */
  async copyPart(
    key: string,
    { upload, checksum }: Multipart,
    number: number,
    source: { readonly bucket: string; readonly key: string },
    signal: AbortSignal,
    range?: ByteRange,
  ): Promise<StoredPart | undefined> {
    const path = [source.bucket, ...source.key.split('/')].map(encodeURIComponent).join('/')
    const command = new UploadPartCopyCommand({
      ...{ ...this.#at(key), UploadId: upload, PartNumber: number },
      CopySource: path,
      ...(range && { CopySourceRange: `bytes=${range.start}-${range.end}` }),
    })
    const send = (call: Call) => this.#client.send(command, call)
    const copied = await request(signal, send, isNoUpload)
    return copied?.CopyPartResult && storedPart(number, checksum, copied.CopyPartResult)
  }

  /** Returns the parts of a multipart upload in ascending order. */
  async parts(
    key: string,
    { upload, checksum }: Multipart,
    signal: AbortSignal,
  ): Promise<readonly Part[] | undefined> {
    const parts: Part[] = []
    for (let marker: string | undefined; ;) {
      const command = new ListPartsCommand({
        ...{ ...this.#at(key), UploadId: upload },
        ...(marker !== undefined && { PartNumberMarker: marker }),
      })
      const send = (call: Call) => this.#client.send(command, call)
      const page = await request(signal, send, isNoUpload)
      if (page === undefined) return undefined
      for (const part of page.Parts ?? []) {
        parts.push({ ...storedPart(part.PartNumber!, checksum, part), size: part.Size! })
      }
      if (!page.IsTruncated) return parts
      marker = page.NextPartNumberMarker
    }
  }

  /** Makes the object of its parts. Returns whether there was such a multipart upload. */
  async complete(
    key: string,
    { upload, checksum: algorithm }: Multipart,
    parts: readonly StoredPart[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const Parts = parts.map(({ number, etag, checksum }) => ({
      PartNumber: number,
      ETag: etag,
      ...(checksum && { [`Checksum${algorithm}`]: checksum }),
    }))
    const command = new CompleteMultipartUploadCommand({
      ...{ ...this.#at(key), UploadId: upload },
      MultipartUpload: { Parts },
    })
    const send = (call: Call) => this.#client.send(command, call)
    return (await request(signal, send, isNoUpload)) !== undefined
  }

  async abort(key: string, upload: string, signal: AbortSignal): Promise<void> {
    const command = new AbortMultipartUploadCommand({ ...this.#at(key), UploadId: upload })
    await request(signal, (call) => this.#client.send(command, call), isNoUpload)
  }

  /** Returns the ids of all multipart uploads of a key. */
  async idsOf(key: string, signal: AbortSignal): Promise<readonly string[]> {
    const ids: string[] = []
    for (let markers: { KeyMarker?: string; UploadIdMarker?: string } = {}; ;) {
      const command = new ListMultipartUploadsCommand({
        ...{ Bucket: this.#bucket, Prefix: key },
        ...markers,
      })
      const page = await request(signal, (call) => this.#client.send(command, call))
      for (const { Key, UploadId } of page.Uploads ?? []) if (Key === key) ids.push(UploadId!)
      // Ceph lists some of the longer keys that begin like this one before it.
      if (!page.IsTruncated || page.NextKeyMarker === undefined) return ids
      markers = {
        KeyMarker: page.NextKeyMarker,
        ...(page.NextUploadIdMarker !== undefined && { UploadIdMarker: page.NextUploadIdMarker }),
      }
    }
  }

  #at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: key }
  }
}

/** Returns the part that a response describes. */
function storedPart(
  number: number,
  algorithm: ChecksumAlgorithm | undefined,
  response: { readonly ETag?: string | undefined },
): StoredPart {
  const checksum = algorithm && (Object(response) as Record<string, string>)[`Checksum${algorithm}`]
  return { number, etag: etagOf(response), ...(checksum && { checksum }) }
}

/** Ceph says `NoSuchKey` of a multipart upload that was completed or aborted. */
const isNoUpload = ({ code }: Response) => code === 'NoSuchUpload' || code === 'NoSuchKey'
