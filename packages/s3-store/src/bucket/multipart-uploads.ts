import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import type { ByteRange } from 'tuskit'
import type { Client, ObjectParameters } from './bucket.js'
import { etagOf, request, type Call, type Response } from './request.js'

/** A part of a multipart upload. */
export interface Part {
  readonly number: number
  readonly size: number
  readonly etag: string
}

/** The requests for multipart uploads of one bucket. */
export class MultipartUploads {
  readonly #client: Client
  readonly #bucket: string

  constructor(client: Client, bucket: string) {
    this.#client = client
    this.#bucket = bucket
  }

  /** Returns the id of a new multipart upload. */
  async create(key: string, signal: AbortSignal, parameters: ObjectParameters): Promise<string> {
    const command = new CreateMultipartUploadCommand({ ...parameters, ...this.#at(key) })
    const { UploadId } = await request(signal, (call) => this.#client.send(command, call))
    return UploadId!
  }

  /** Returns the ETag, or `undefined` if there is no such multipart upload. */
  async putPart(
    key: string,
    upload: string,
    number: number,
    bytes: Buffer,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const command = new UploadPartCommand({
      ...{ ...this.#at(key), UploadId: upload, PartNumber: number },
      Body: bytes,
    })
    const send = (call: Call) => this.#client.send(command, call)
    const stored = await request(signal, send, isNoUpload)
    return stored && etagOf(stored)
  }

  /**
   * Copies an object, or a range of one, into a part. Returns as {@link MultipartUploads.putPart}
   * does, or `undefined` if there is no such object.
   */
  async copyPart(
    key: string,
    upload: string,
    number: number,
    source: { readonly bucket: string; readonly key: string },
    signal: AbortSignal,
    range?: ByteRange,
  ): Promise<string | undefined> {
    const path = [source.bucket, ...source.key.split('/')].map(encodeURIComponent).join('/')
    const command = new UploadPartCopyCommand({
      ...{ ...this.#at(key), UploadId: upload, PartNumber: number },
      CopySource: path,
      ...(range && { CopySourceRange: `bytes=${range.start}-${range.end}` }),
    })
    const send = (call: Call) => this.#client.send(command, call)
    const copied = await request(signal, send, isNoUpload)
    return copied?.CopyPartResult && etagOf(copied.CopyPartResult)
  }

  /** Returns the parts of a multipart upload in ascending order. */
  async parts(
    key: string,
    upload: string,
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
        parts.push({ number: part.PartNumber!, size: part.Size!, etag: etagOf(part) })
      }
      if (!page.IsTruncated) return parts
      marker = page.NextPartNumberMarker
    }
  }

  /** Makes the object of its parts. Returns whether there was such a multipart upload. */
  async complete(
    key: string,
    upload: string,
    parts: readonly Pick<Part, 'number' | 'etag'>[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }))
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

/** Ceph says `NoSuchKey` of a multipart upload that was completed or aborted. */
const isNoUpload = ({ code }: Response) => code === 'NoSuchUpload' || code === 'NoSuchKey'
