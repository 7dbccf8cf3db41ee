import { createHash } from 'node:crypto'
import {
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import recorded from './recorded/uploads.json' with { type: 'json' }

/** Headers and metadata of an object. */
interface Parameters {
  readonly contentType?: string
  readonly cacheControl?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly tags?: Readonly<Record<string, string>>
}

/** An upload as the old server described it, and its objects. */
export interface RecordedUpload {
  readonly server: 'tusd' | 'tus-node'
  readonly name: string
  readonly id: string
  readonly length: number | null
  readonly offset: number
  readonly metadata: Readonly<Record<string, string | null>>
  /** Of the bytes that are stored. */
  readonly sha256: string
  readonly concat?: 'partial' | 'final'
  readonly partials?: readonly string[]
  readonly prefix?: string
  readonly objects: readonly (Parameters & {
    readonly key: string
    readonly text?: string
    readonly bytes?: readonly [from: number, to: number]
  })[]
  readonly multipart?: {
    readonly key: string
    readonly id: string
    readonly sizes: readonly number[]
    readonly parameters: Parameters
  }
}

export const recordedUploads = recorded as unknown as readonly RecordedUpload[]

/** Returns the recorded upload with a name. */
export function recordedUpload(name: string): RecordedUpload {
  return recordedUploads.find((upload) => upload.name === name)!
}

const contents = new Map<string, Buffer>()

/** Returns the content of an upload, of which the server has the beginning. */
export function contentOf(upload: RecordedUpload): Buffer {
  const known = contents.get(upload.name)
  if (known !== undefined) return known
  const { name, length, offset, partials } = upload
  const content =
    partials === undefined
      ? computed(name, length ?? offset + 1000)
      : Buffer.concat(partials.map((partial) => contentOf(recordedUpload(partial))))
  contents.set(name, content)
  return content
}

function computed(name: string, size: number): Buffer {
  const blocks: Buffer[] = []
  for (let i = 0; i * 32 < size; i++) {
    blocks.push(createHash('sha256').update(`${name}:${i}`).digest())
  }
  return Buffer.concat(blocks).subarray(0, size)
}

/** Puts an upload into a bucket. Returns it with the id that it has there. */
export async function restore(
  client: S3Client,
  bucket: string,
  upload: RecordedUpload,
  prefix = '',
): Promise<RecordedUpload> {
  const { objects, multipart } = upload
  const content = contentOf(upload)
  let rename = (text: string) => text
  if (multipart !== undefined) {
    const place = { Bucket: bucket, Key: prefix + multipart.key }
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({ ...place, ...parametersOf(multipart.parameters, rename) }),
    )
    let start = 0
    for (const [index, size] of multipart.sizes.entries()) {
      const Body = content.subarray(start, (start += size))
      const part = { UploadId, PartNumber: index + 1, Body }
      await client.send(new UploadPartCommand({ ...place, ...part }))
    }
    rename = (text) => text.replaceAll(multipart.id, UploadId!)
  }
  for (const { key, text, bytes, ...parameters } of objects) {
    const Body = bytes === undefined ? Buffer.from(rename(text!)) : content.subarray(...bytes)
    const place = { Bucket: bucket, Key: prefix + key }
    await client.send(new PutObjectCommand({ ...place, ...parametersOf(parameters, rename), Body }))
  }
  return { ...upload, id: rename(upload.id) }
}

function parametersOf(
  { contentType, cacheControl, metadata, tags }: Parameters,
  rename: (text: string) => string,
) {
  return {
    ...(contentType && { ContentType: contentType }),
    ...(cacheControl && { CacheControl: cacheControl }),
    ...(metadata && {
      Metadata: Object.fromEntries(
        Object.entries(metadata).map(([name, value]) => [name, rename(value)]),
      ),
    }),
    ...(tags && { Tagging: new URLSearchParams(tags).toString() }),
  }
}
