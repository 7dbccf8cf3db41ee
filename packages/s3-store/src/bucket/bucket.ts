import type { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { ByteRange } from 'tuskit'
import { unlessAborted } from 'tuskit/store-kit'
import { MultipartUploads } from './multipart-uploads.js'
import { etagOf, isNoKey, request, type Call, type Response } from './request.js'
import { responseOf, s3Failure } from './s3-error.js'

/** The members of the client that are used. */
export type Client = Pick<S3Client, 'send' | 'config'>

/** Parameters of an object that do not identify it: headers, tags, encryption, access. */
export type ObjectParameters = Omit<
  Partial<PutObjectCommandInput>,
  'Bucket' | 'Key' | 'Body' | 'ContentLength' | 'IfMatch' | 'IfNoneMatch' | 'Metadata'
> & { readonly Metadata?: Readonly<Record<string, string>> | undefined }

/** Makes a write depend on what is stored: nothing, or exactly the object with this ETag. */
export type Condition = { readonly absent: true } | { readonly etag: string }

/**
 * How a service reads the ETag of a condition: with its quotation marks, as HTTP has it, or without
 * them, as Ceph did before its release 17. `none`: it ignores conditions.
 */
export type Conditions = 'quoted' | 'bare' | 'none'

/** The head of an object, as a service reports it. */
export interface ObjectHead {
  readonly size: number
  readonly etag: string
  readonly metadata: Readonly<Record<string, string>>
  readonly modified: Date
}

/** An object that is being read. */
export interface ObjectContent extends ObjectHead {
  readonly body: Readable
}

/** An object in a list. */
export interface ListedObject {
  readonly key: string
  readonly etag: string
  readonly modified: Date
}

/**
 * The requests to one bucket. They reject with `signal.reason` when the signal aborts, and
 * otherwise with an error that says whether the storage is full or cannot be reached.
 *
 * `undefined` means that the service has said that there is no such object or upload. Only
 * {@link Bucket.get} can distinguish a missing object from a missing bucket: the others have no
 * body in their responses.
 */
export class Bucket {
  readonly #client: Client
  readonly name: string
  readonly conditions: Conditions
  readonly multipart: MultipartUploads

  constructor(client: Client, name: string, conditions: Conditions = 'quoted') {
    this.#client = client
    this.name = name
    this.conditions = conditions
    this.multipart = new MultipartUploads(client, name)
  }

  /** Returns the same bucket for a service that reads conditions in another way. */
  with(conditions: Conditions): Bucket {
    return new Bucket(this.#client, this.name, conditions)
  }

  /** Rejects if the bucket cannot be used. */
  async check(signal: AbortSignal): Promise<void> {
    const command = new HeadBucketCommand({ Bucket: this.name })
    await request(signal, (call) => this.#client.send(command, call))
  }

  /**
   * Returns the ETag, or `undefined` if the condition does not hold. A service without conditions
   * ignores it.
   */
  async put(
    key: string,
    body: Buffer | string,
    signal: AbortSignal,
    parameters: ObjectParameters = {},
    condition?: Condition,
  ): Promise<string | undefined> {
    const command = new PutObjectCommand({
      ...parameters,
      ...this.#at(key),
      ...this.#headersOf(condition),
      Body: body,
    })
    const send = (call: Call) => this.#client.send(command, call)
    for (let attempt = 1; ; attempt++) {
      try {
        const stored = await request(signal, send, isFalse)
        return stored && etagOf(stored)
      } catch (error) {
        if (attempt === mostAttempts || !isConflict(error)) throw error
      }
    }
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectHead | undefined> {
    const command = new HeadObjectCommand(this.#at(key))
    const send = (call: Call) => this.#client.send(command, call)
    const found = await request(signal, send, isNoKey)
    return found && headOf(found)
  }

  /** The signal counts until the promise settles. */
  async get(
    key: string,
    signal: AbortSignal,
    range?: ByteRange,
  ): Promise<ObjectContent | undefined> {
    const command = new GetObjectCommand({
      ...this.#at(key),
      ...(range && { Range: `bytes=${range.start}-${range.end}` }),
    })
    const send = (call: Call) => this.#client.send(command, call)
    const isMissing = ({ code }: Response) => code === 'NoSuchKey'
    const found = await request(signal, send, isMissing)
    return found && { ...headOf(found), body: found.Body as Readable }
  }

  /** Returns an object with all of its bytes. */
  async read(
    key: string,
    signal: AbortSignal,
    range?: ByteRange,
  ): Promise<(ObjectHead & { readonly bytes: Buffer }) | undefined> {
    const found = await this.get(key, signal, range)
    if (found === undefined) return undefined
    const { body, ...head } = found
    try {
      const pieces: Promise<Buffer[]> = body.toArray()
      const bytes = Buffer.concat(await unlessAborted(signal, pieces))
      if (bytes.length !== head.size) throw Object.assign(new Error('cut'), { code: 'ECONNRESET' })
      return { ...head, bytes }
    } catch (error) {
      throw signal.aborted ? signal.reason : s3Failure(error)
    } finally {
      body.destroy()
    }
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    const command = new DeleteObjectCommand(this.#at(key))
    await request(signal, (call) => this.#client.send(command, call), isNoKey)
  }

  /** Yields the objects whose keys begin with `prefix`, ascending, after a key if one is given. */
  async *list(prefix: string, signal: AbortSignal, after?: string): AsyncGenerator<ListedObject> {
    let token: string | undefined
    do {
      const command = new ListObjectsV2Command({
        Bucket: this.name,
        Prefix: prefix,
        ...(after !== undefined && { StartAfter: after }),
        ...(token !== undefined && { ContinuationToken: token }),
      })
      const page = await request(signal, (call) => this.#client.send(command, call))
      for (const { Key, ETag, LastModified } of page.Contents ?? []) {
        yield { key: Key!, etag: ETag ?? '', modified: LastModified ?? new Date(0) }
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  #headersOf(condition?: Condition): { IfMatch?: string; IfNoneMatch?: string } {
    if (condition === undefined || this.conditions === 'none') return {}
    if ('absent' in condition) return { IfNoneMatch: '*' }
    const { etag } = condition
    return { IfMatch: this.conditions === 'bare' ? etag.replaceAll('"', '') : etag }
  }

  #at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.name, Key: key }
  }
}

/** How often a write is tried when others write the same object at that moment. */
const mostAttempts = 5

/** Another write of the same object was in progress, so the condition was not evaluated. */
const isConflict = (error: unknown) =>
  responseOf((Object(error) as Error).cause).code === 'ConditionalRequestConflict'

/** A missing object does not have the ETag either, but the response is another one. */
const isFalse = ({ code, status }: Response) => status === 412 || code === 'NoSuchKey'

function headOf(response: {
  readonly ContentLength?: number | undefined
  readonly ETag?: string | undefined
  readonly Metadata?: Record<string, string> | undefined
  readonly LastModified?: Date | undefined
}): ObjectHead {
  const { ContentLength = 0, Metadata = {}, LastModified = new Date(0) } = response
  const etag = etagOf(response)
  return { size: ContentLength, etag, metadata: Metadata, modified: LastModified }
}
