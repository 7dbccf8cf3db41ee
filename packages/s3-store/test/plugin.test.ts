import { afterAll, beforeAll, expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { plugin } from '@tuskit/s3-store/plugin'
import { download, post, serve } from '../../../test/support/serve.js'
import { CephGateway, credentials } from '../services.js'
import { contentsOf } from './serve-s3.js'

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
  process.env.AWS_ACCESS_KEY_ID = credentials.accessKeyId
  process.env.AWS_SECRET_ACCESS_KEY = credentials.secretAccessKey
})
afterAll(() => ceph.stop())

const context = { locate: ({ id }: { readonly id: string }) => id }

test('one URL describes data, records and locks, which are below its path', async () => {
  const bucket = await ceph.createBucket()
  const query = `endpoint=${ceph.endpoint}&region=us-east-1&provider=ceph&part-size=5242880`
  const url = `s3://${bucket}/team%20a/?${query}&lease=20000`
  const parts = [plugin.data.s3(url, context), plugin.info.s3(url), plugin.locks.s3(url)]
  const site = await serve({ composer: new StoreComposer().use(...parts) })
  const created = await post(site, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  expect(await download(site.origin + created.headers.location!)).toBe('hello')
  const id = created.headers.location!.split('/').at(-1)!
  const keys = await contentsOf(ceph.client(), bucket)
  // The locks are next to the records.
  expect(keys.filter((key) => !key.includes('/locks/')).toSorted()).toEqual([
    `team a/.tuskit/records/${id}`,
    `team a/${id}`,
  ])
})

test.each([
  ['s3://bucket?regoin=eu', 'there is no option regoin, only region, endpoint'],
  ['s3://bucket?provider=azure', 'provider must be one of aws, b2, ceph'],
  ['s3://bucket?part-size=8MB', "part-size must be a whole number, not '8MB'"],
  ['s3:bucket', 'the name of a bucket must follow s3://'],
])('%s is refused', (url, message) => {
  expect(() => plugin.data.s3(url, context)).toThrow(message)
})
