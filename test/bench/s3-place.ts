import type { Readable } from 'node:stream'
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { CephGateway } from '../../packages/s3-store/services.js'
import type { Content, Slice } from './content.js'

/** A bucket of a Ceph gateway that keeps objects in memory. */
export class S3Place {
  readonly bucket: string
  readonly #gateway: CephGateway
  readonly #client: S3Client

  static async create(): Promise<S3Place> {
    const gateway = await CephGateway.start()
    return new S3Place(gateway, await gateway.createBucket())
  }

  private constructor(gateway: CephGateway, bucket: string) {
    this.#gateway = gateway
    this.bucket = bucket
    this.#client = gateway.client()
  }

  /** The options of every client. */
  get config(): S3ClientConfig {
    return this.#gateway.config()
  }

  /** Compares objects with slices of the content, and empties the bucket. */
  async verifyAndEmpty(
    content: Content,
    keys: readonly string[],
    slices: readonly Slice[],
  ): Promise<void> {
    const Bucket = this.bucket
    for (const [i, Key] of keys.entries()) {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket, Key }))
      await content.verifyStream(Key, Body as Readable, slices[i]!)
    }
    const { Contents = [] } = await this.#client.send(new ListObjectsV2Command({ Bucket }))
    const Objects = Contents.map(({ Key }) => ({ Key }))
    await this.#client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
    // Otherwise the gateway frees the memory some time later, during a measurement.
    await this.#gateway.control('gc', 'process', '--include-all')
  }

  async close(): Promise<void> {
    await this.#gateway.stop()
  }
}
