import { PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { S3Store } from '@tuskit/s3-store'
import { TcpProxy } from 'tuskit/store-kit'
import { createUpload, idOf, patch, remove, until } from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'
import { CephGateway } from '../services.js'
import { later } from './later.js'
import { contentsOf, keysOf, serveS3 } from './serve-s3.js'

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start()
})
afterAll(() => ceph.stop())

test('an object that is stored after the removal of its upload is removed, too', async () => {
  const [proxy, bucket] = [await TcpProxy.start({ port: ceph.port }), await ceph.createBucket()]
  onTestFinished(() => proxy.close())
  const client = ceph.client({ port: proxy.port })
  const options = { bucket, lease: 3_000, handler: { logger: silent } }
  const one = await serveS3({ ...options, client })
  const two = await serveS3({ ...options, client: ceph.client() })
  const url = await createUpload(one, { 'upload-length': 5 })
  const id = idOf(url)
  // The request with its object stands still on its way.
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const { Key } = args.input as { readonly Key?: string }
        if (Key === id && commandName === 'PutObjectCommand') proxy.stall()
        return next(args)
      },
    { step: 'initialize' },
  )
  patch(url, 0, 'hello').catch(() => {})
  const there = two.origin + new URL(url).pathname
  await until(
    () => patch(there, 0, 'hello'),
    ({ status }) => status === 204,
  )
  await until(
    () => remove(there),
    ({ status }) => status === 204,
  )
  const contents = () => contentsOf(ceph.client(), bucket)
  await until(contents, (keys) => keys.length === 0)
  void proxy.restore()
  await until(contents, (keys) => keys.includes(id))
  const prune = (by: number) => later(ceph, by, (client) => new S3Store({ client, bucket }).prune())
  await prune(1_800_000)
  expect(await contents()).toEqual([id])
  await prune(7_200_000)
  expect(await contents()).toEqual([])
  expect(await keysOf(ceph.client(), bucket)).toEqual([`.tuskit/locks/${id}`])
})

test('an upload that got the id of a removed one keeps its objects', async () => {
  const [client, bucket] = [ceph.client(), await ceph.createBucket()]
  const ids = ['finished', 'unfinished']
  const site = await serveS3({ client, bucket, handler: { generateId: () => ids.shift()! } })
  for (const id of ids) {
    const place = { bucket, key: id, tail: `.tuskit/tails/${id}` }
    const Body = JSON.stringify({ id, createdAt: new Date(0).toISOString(), ...place })
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: `.tuskit/removed/${id}`, Body }))
  }
  const finished = await createUpload(site, { 'upload-length': 5 })
  const unfinished = await createUpload(site, { 'upload-length': 20_000_000 })
  for (const url of [finished, unfinished]) await patch(url, 0, 'hello')
  const before = await contentsOf(client, bucket)
  expect(before).toContain('finished')
  expect(before).toContain('multipart upload of unfinished')
  await later(ceph, 7_200_000, (client) => new S3Store({ client, bucket }).prune())
  expect(await contentsOf(client, bucket)).toEqual(before)
  expect(await keysOf(client, bucket)).not.toContain('.tuskit/removed/finished')
})

test('a note that cannot be followed does not keep the others', async () => {
  const bucket = await ceph.createBucket()
  const put = (id: string, Body: string) =>
    ceph.client().send(new PutObjectCommand({ Bucket: bucket, Key: `.tuskit/removed/${id}`, Body }))
  await put('a', 'damaged')
  await put('b', JSON.stringify({ id: 'b', bucket: 'missing', key: 'b', tail: 'b' }))
  await put('c', JSON.stringify({ id: 'c', bucket, key: 'c', tail: 'c' }))
  const prune = later(ceph, 7_200_000, (client) => new S3Store({ client, bucket }).prune())
  await expect(prune).rejects.toThrow(SyntaxError)
  expect(await keysOf(ceph.client(), bucket)).toEqual(['.tuskit/removed/a', '.tuskit/removed/b'])
})
