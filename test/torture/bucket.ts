import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  GetObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3'
import { TcpProxy } from 'tuskit/store-kit'
import { CephGateway, credentials } from '../../packages/s3-store/services.js'
import { planBucketFault, type BucketFaultPlan, type RunPlan } from './plan.js'
import type { Referee } from './referee.js'
import type { Storage } from './storage.js'

const records = '.tuskit/records/'

/** A bucket of a Ceph gateway. Each server reaches it through a proxy of its own. */
export class Bucket implements Storage {
  readonly environment = {}
  readonly #ceph: CephGateway
  readonly #proxies: readonly TcpProxy[]
  readonly #bucket: string
  readonly #client: S3Client

  private constructor(ceph: CephGateway, proxies: readonly TcpProxy[], bucket: string) {
    this.#ceph = ceph
    this.#proxies = proxies
    this.#bucket = bucket
    this.#client = ceph.client()
  }

  static async start({ servers, partSize }: RunPlan): Promise<Bucket> {
    const ceph = await CephGateway.start({ minPartSize: partSize })
    const start = () => TcpProxy.start({ port: ceph.port })
    const proxies = await Promise.all(Array.from({ length: servers }, start))
    return new Bucket(ceph, proxies, await ceph.createBucket())
  }

  describe(server: number): object {
    const endpoint = this.#ceph.endpointOf(this.#proxies[server]!.port)
    return { endpoint, bucket: this.#bucket, credentials }
  }

  planFault(seed: number, number: number): BucketFaultPlan {
    return planBucketFault(seed, number, this.#proxies.length)
  }

  async harm(fault: BucketFaultPlan): Promise<() => Promise<void>> {
    const { kind, server, bytes, direction } = fault
    const ceph = this.#ceph
    const proxy = this.#proxies[server]!
    switch (kind) {
      case 'gateway busy':
        await ceph.configure('rgw', 'rgw_max_concurrent_requests', '1')
        return () => ceph.configure('rgw', 'rgw_max_concurrent_requests', '1024')
      case 'gateway killed':
        await ceph.kill('rgw')
        return () => ceph.restart('rgw')
      case 'gateway paused':
      case 'disk paused': {
        const daemon = kind === 'disk paused' ? 'osd' : 'rgw'
        await ceph.pause(daemon)
        return async () => ceph.resume(daemon)
      }
      case 'cut':
        proxy.cut()
        break
      case 'cut amid':
        void proxy.cutAfter(bytes, direction)
        break
      case 'stall':
        proxy.stall()
    }
    return () => proxy.restore()
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
    await Promise.all(this.#proxies.map((proxy) => proxy.close()))
    await this.#ceph.stop()
  }
}
