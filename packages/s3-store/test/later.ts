import type { S3Client } from '@aws-sdk/client-s3'
import { vi } from 'vitest'
import type { CephGateway } from '../services.js'

/** Does something with a clock that is ahead by so many milliseconds. */
export async function later(
  ceph: CephGateway,
  by: number,
  act: (client: S3Client) => Promise<void>,
): Promise<void> {
  // The service refuses requests whose time is wrong.
  const client = ceph.client({ systemClockOffset: -by })
  const now = Date.now.bind(Date)
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now() + by)
  await act(client).finally(() => clock.mockRestore())
}
