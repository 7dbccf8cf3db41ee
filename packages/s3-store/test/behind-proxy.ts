import type { S3Client } from '@aws-sdk/client-s3'
import { TcpProxy } from 'tuskit/store-kit'
import { credentials, type CephGateway } from '../services.js'

/** A bucket of its own, behind a proxy that can break the connections to it. */
export interface Behind {
  readonly ceph: CephGateway
  readonly proxy: TcpProxy
  readonly bucket: string
  /** Whether requests go to a bucket that does not exist. */
  isGone?: boolean
  /** Whether requests are signed with a wrong key. */
  isRefused?: boolean
}

/** Makes a subject of the suite, with a composer of its own. */
export async function behindProxy<Composer>(
  ceph: CephGateway,
  compose: (behind: Behind) => Composer,
): Promise<Behind & { composer: Composer; dispose: () => Promise<void> }> {
  const [proxy, bucket] = [await TcpProxy.start({ port: ceph.port }), await ceph.createBucket()]
  const behind: Behind = { ceph, proxy, bucket }
  return Object.assign(behind, { composer: compose(behind), dispose: () => proxy.close() })
}

/** An option of the suite: the ways in which the service can fail. */
export const unplug = {
  down({ proxy }: Behind) {
    proxy.cut()
    return () => proxy.restore()
  },
  gone(behind: Behind) {
    behind.isGone = true
    return () => (behind.isGone = false)
  },
  refused(behind: Behind) {
    behind.isRefused = true
    return () => (behind.isRefused = false)
  },
  paused({ proxy }: Behind) {
    proxy.stall()
    return () => proxy.restore()
  },
}

export function clientOf(behind: Behind): S3Client {
  const client = behind.ceph.client({
    ...{ port: behind.proxy.port, maxAttempts: 2 },
    // Connections that are kept would outlive a store, which does not own the client.
    requestHandler: { httpAgent: { keepAlive: false } },
    // Without an expiry they would be asked for only once.
    credentials: async () => ({
      ...credentials,
      ...(behind.isRefused && { secretAccessKey: 'wrong' }),
      expiration: new Date(),
    }),
  })
  client.middlewareStack.add(
    (next) => (args) => {
      const input = { ...args.input, ...(behind.isGone && { Bucket: 'missing-bucket' }) }
      return next({ ...args, input } as typeof args)
    },
    { step: 'initialize' },
  )
  return client
}
