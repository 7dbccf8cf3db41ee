import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3'
import { CephGateway, credentials } from '../../packages/s3-store/services.js'
import { Lines } from './lines.js'
import type { Network } from './networks.js'
import { planBucketFault, type BucketFaultPlan, type RunPlan } from './plan.js'
import type { Referee } from './referee.js'
import type { Storage } from './storage.js'

const records = '.tuskit/records/'

/** A bucket of a Ceph gateway. */
export class Bucket implements Storage {
  readonly environment = {}
  readonly #ceph: CephGateway
  readonly #lines: Lines
  readonly #bucket: string
  readonly #client: S3Client

  private constructor(ceph: CephGateway, lines: Lines, bucket: string) {
    this.#ceph = ceph
    this.#lines = lines
    this.#bucket = bucket
    this.#client = ceph.client()
  }

  static async start({ servers, partSize }: RunPlan, network: Network): Promise<Bucket> {
    const ceph = await CephGateway.start({ minPartSize: partSize })
    const lines = await Lines.open(ceph.port, network, servers)
    return new Bucket(ceph, lines, await ceph.createBucket())
  }

  describe(server: number): object {
    return { endpoint: `http://${this.#lines.to(server)}`, bucket: this.#bucket, credentials }
  }

  planFault(seed: number, number: number): BucketFaultPlan {
    return planBucketFault(seed, number, this.#lines.count)
  }

  async harm(fault: BucketFaultPlan): Promise<() => Promise<void>> {
    const ceph = this.#ceph
    switch (fault.kind) {
      case 'gateway busy':
        await ceph.configure('rgw', 'rgw_max_concurrent_requests', '1')
        return () => ceph.configure('rgw', 'rgw_max_concurrent_requests', '1024')
      case 'gateway killed':
        await ceph.kill('rgw')
        return () => ceph.restart('rgw')
      case 'gateway paused':
      case 'disk paused': {
        const daemon = fault.kind === 'disk paused' ? 'osd' : 'rgw'
        await ceph.pause(daemon)
        return async () => ceph.resume(daemon)
      }
      default:
        return this.#lines.harm(fault)
    }
  }

  async judge(referee: Referee, ids?: ReadonlySet<string>): Promise<readonly string[]> {
    const keys = new Set<string>()
    const where = { Bucket: this.#bucket }
    for await (const { Contents = [] } of paginateListObjectsV2({ client: this.#client }, where)) {
      for (const { Key } of Contents) keys.add(Key!)
    }
    const files: string[] = []
    for (const id of [...keys].filter((key) => !key.startsWith('.'))) {
      keys.delete(id)
      if (ids?.has(id) ?? keys.delete(records + id)) files.push(id)
      else referee.blame(`${id} is left without a record`)
    }
    for (const key of keys) referee.blame(`${key} is left behind`)
    const { Uploads = [] } = await this.#client.send(new ListMultipartUploadsCommand(where))
    for (const { Key } of Uploads) referee.blame(`a multipart upload of ${Key} is left behind`)
    return files
  }

  async digest(id: string): Promise<string> {
    const hash = createHash('sha256')
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: id })
    const { Body } = await this.#client.send(command)
    await pipeline(Body as Readable, hash)
    return hash.digest('hex')
  }

  async close(): Promise<void> {
    await this.#lines.close()
    await this.#ceph.stop()
  }
}
