import {
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import { startProgram } from '../../../server/test/program.js'
import { CephGateway } from '../../services.js'
import { contentsOf } from '../serve-s3.js'
import { adopt, env } from './adopt.js'
import { contentOf, recordedUpload, restore } from './restore.js'

let ceph: CephGateway
let client: S3Client

beforeAll(async () => {
  ceph = await CephGateway.start()
  client = ceph.client()
})
afterAll(() => ceph.stop())

const MiB = 1_048_576

/** Objects and parts to put into a bucket. */
interface Content {
  /** Objects by key. `{multipart}` in them is the id of the multipart upload. */
  readonly objects: Readonly<Record<string, string | object>>
  /** The parts of the multipart upload `a`, by number: how many bytes each has. */
  readonly parts?: Readonly<Record<number, number>>
}

/** Makes a bucket, and returns its name. */
async function bucketWith({ objects, parts }: Content): Promise<string> {
  const bucket = await ceph.createBucket()
  const place = { Bucket: bucket, Key: 'a' }
  let multipart = 'none'
  if (parts !== undefined) {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(place))
    multipart = UploadId!
    for (const [number, size] of Object.entries(parts)) {
      const part = { UploadId, PartNumber: Number(number), Body: Buffer.alloc(size) }
      await client.send(new UploadPartCommand({ ...place, ...part }))
    }
  }
  for (const [Key, content] of Object.entries(objects)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    const Body = Buffer.from(text.replaceAll('{multipart}', multipart))
    const Metadata = { 'upload-id': multipart }
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body, Metadata }))
  }
  return bucket
}

function urlOf(bucket: string, path = ''): string {
  return `s3://${bucket}${path}?endpoint=${ceph.endpoint}&region=us-east-1`
}

interface JsonLine {
  readonly outcome: string
  readonly id: string
  readonly reason?: string
  readonly key?: string
  readonly offset?: number
}

async function adoptAsJson(
  from: 'tusd' | 'tus-node',
  ...parameters: readonly string[]
): Promise<readonly JsonLine[]> {
  const { output } = await adopt(from, [...parameters, '--json'])
  const lines = output.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as JsonLine)
}

const tusd = { ID: 'a+{multipart}', Size: 20 * MiB, MetaData: {} }
const node = { id: 'a', size: 20 * MiB, offset: 0, creation_date: '2026-11-28T20:11:49.326Z' }

const refusals: readonly (readonly [
  title: string,
  from: 'tusd' | 'tus-node',
  content: Content,
  reason: RegExp,
])[] = [
  ['an empty record', 'tusd', { objects: { 'a.info': '' } }, /record is empty/],
  ['a record that is cut off', 'tus-node', { objects: { 'a.info': '{"id"' } }, /is not JSON/],
  [
    'a record that is too long',
    'tusd',
    { objects: { 'a.info': 'x'.repeat(1_000_001) } },
    /record is too long/,
  ],
  ['missing data', 'tusd', { objects: { 'a.info': tusd } }, /its data is not there: a/],
  [
    'missing data, although there are bytes that fill no part',
    'tus-node',
    { objects: { 'a.info': node, 'a.part': 'xx' } },
    /its data is not there: a/,
  ],
  [
    'a finished object with another size',
    'tusd',
    { objects: { 'a.info': tusd, a: 'xx' } },
    /its object is finished with 2 bytes instead of 20971520/,
  ],
  [
    'a finished object of an upload without a length',
    'tus-node',
    { objects: { 'a.info': { ...node, size: undefined }, a: 'xx' } },
    /finished with 2 bytes instead of an unknown number/,
  ],
  [
    'parts with a gap',
    'tusd',
    { objects: { 'a.info': tusd }, parts: { 1: 5 * MiB, 3: 5 * MiB } },
    /its part 2 is missing/,
  ],
  [
    'a part that is too small for others to follow',
    'tus-node',
    { objects: { 'a.info': node }, parts: { 1: 5 * MiB, 2: 1000 } },
    /a part of 1000 bytes, which is too small/,
  ],
  [
    'more bytes than the length',
    'tusd',
    { objects: { 'a.info': { ...tusd, Size: 1001 }, 'a.part': 'xx' }, parts: { 1: 1000 } },
    /1002 bytes, more than its length of 1001/,
  ],
  [
    'a final upload that was not put together',
    'tusd',
    { objects: { 'a.info': { ...tusd, IsFinal: true, PartialUploads: ['b', 'c'] } }, parts: {} },
    /not completely put together/,
  ],
  [
    'an id that is too long',
    'tusd',
    { objects: { 'a.info': { ...tusd, ID: `a+${'x'.repeat(200)}` } } },
    /an id has 1 to 200 letters/,
  ],
  [
    'a record of another upload',
    'tusd',
    { objects: { 'a.info': { ...tusd, ID: 'b+x' } } },
    /that of another upload, b/,
  ],
  [
    'data in a file',
    'tus-node',
    { objects: { 'a.info': { ...node, storage: { type: 'file' } } } },
    /not in a bucket, but in file/,
  ],
  [
    'a key that tuskit does not use',
    'tusd',
    { objects: { 'a.info': { ...tusd, Storage: { Type: 's3store', Key: '/a' } } }, parts: {} },
    /key begins with a slash/,
  ],
]

test.for(refusals)('not adopted: %s', async ([, from, content, reason]) => {
  const bucket = await bucketWith(content)
  const before = await contentsOf(client, bucket)
  const [result, ...more] = await adoptAsJson(from, urlOf(bucket))
  expect(result).toMatchObject({ outcome: 'refused' })
  expect(result!.reason).toMatch(reason)
  expect(more).toEqual([])
  expect(await contentsOf(client, bucket)).toEqual(before)
})

test('all bytes in parts, the last of them small, are an upload that can be finished', async () => {
  const record = { ...tusd, Size: 5 * MiB + 1000 }
  const parts = { 1: 5 * MiB, 2: 1000 }
  const bucket = await bucketWith({ objects: { 'a.info': record }, parts })
  const [result] = await adoptAsJson('tusd', urlOf(bucket))
  expect(result).toMatchObject({ outcome: 'adopted', offset: 5 * MiB + 1000 })
  const { url } = await startProgram(['--data', urlOf(bucket)], { env })
  const head = await fetch(url + result!.id, {
    method: 'HEAD',
    headers: { 'tus-resumable': '1.0.0' },
  })
  expect(head.headers.get('upload-offset')).toBe(String(5 * MiB + 1000))
  const content = await (await fetch(url + result!.id)).arrayBuffer()
  expect(content.byteLength).toBe(5 * MiB + 1000)
})

test('records may be in another folder than the data', async () => {
  const Storage = { Type: 's3store', Bucket: 'old-name', Key: 'files/a' }
  const small = { ...tusd, Size: 2, Storage }
  const objects = { 'meta/a.info': small, 'meta/a.part': 'y', 'files/a': 'xx' }
  const bucket = await bucketWith({ objects })
  const data = ['--data', urlOf(bucket)]
  expect(await adoptAsJson('tusd', urlOf(bucket, '/meta'), ...data)).toMatchObject([
    { outcome: 'adopted', id: 'a+none', key: 'files/a', state: 'finished' },
  ])
  const { url } = await startProgram(data, { env })
  expect(await (await fetch(`${url}a+none`)).text()).toBe('xx')
})

test('objects of no upload are listed, except those of this server', async () => {
  const objects = { 'x/other.txt': 'x', 'b.part': 'x', 'a.info': { ...node, size: 2 }, a: 'xx' }
  const bucket = await bucketWith({ objects })
  const { url } = await startProgram(['--data', urlOf(bucket)], { env })
  const headers = { 'tus-resumable': '1.0.0', 'upload-length': '4' }
  const type = { 'content-type': 'application/offset+octet-stream' }
  const created = { method: 'POST', headers: { ...headers, ...type }, body: 'abcd' }
  expect((await fetch(url, created)).status).toBe(201)
  expect(await adoptAsJson('tus-node', urlOf(bucket))).toMatchObject([
    { outcome: 'adopted', id: 'a' },
    { outcome: 'stray', id: 'b.part', reason: 'no record names this object' },
    { outcome: 'stray', id: 'x/other.txt' },
  ])
  const { output } = await adopt('tus-node', [urlOf(bucket)])
  expect(output).toContain('1 adopted before, 0 not adopted. There is no record for 2 objects.')
})

test('an upload that has continued since it was adopted is left as it is', async () => {
  const bucket = await ceph.createBucket()
  const upload = await restore(client, bucket, recordedUpload('tusd-part-and-tail'))
  const data = urlOf(bucket)
  await adopt('tusd', [data])
  const { url } = await startProgram(['--data', data], { env })
  for (const length of [1000, 4 * MiB]) {
    const [present] = await adoptAsJson('tusd', data)
    expect(present).toMatchObject({ outcome: expect.stringMatching(/present|adopted/) as string })
    const { offset } = present!
    const patched = await fetch(url + upload.id, {
      method: 'PATCH',
      headers: {
        'tus-resumable': '1.0.0',
        'content-type': 'application/offset+octet-stream',
        'upload-offset': String(offset),
      },
      body: new Uint8Array(contentOf(upload).subarray(offset, offset! + length)),
    })
    expect(patched.status).toBe(204)
    expect(await adoptAsJson('tusd', data)).toMatchObject([
      { outcome: 'present', id: upload.id, offset: offset! + length },
    ])
  }
})

test('a tail without a record is replaced when the old server has continued since', async () => {
  const bucket = await ceph.createBucket()
  const upload = await restore(client, bucket, recordedUpload('s3-tail-only'))
  const flags = async () => [urlOf(bucket), '--info', `file:${await temporaryDirectory()}`]
  expect((await adoptAsJson('tus-node', ...(await flags())))[0]).toMatchObject({ offset: 1000 })
  const Body = contentOf(upload).subarray(0, 2000)
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: `${upload.id}.part`, Body }))
  const [, ...info] = await flags()
  expect((await adoptAsJson('tus-node', urlOf(bucket), ...info))[0]).toMatchObject({
    outcome: 'adopted',
    offset: 2000,
  })
})

test('the bucket must be that of --data', async () => {
  const [bucket, other] = [await ceph.createBucket(), await ceph.createBucket()]
  const { code, errors } = await adopt('tusd', [urlOf(bucket), '--data', urlOf(other)])
  expect(errors).toContain(`the bucket must be ${bucket}, because the data stays where it is`)
  expect(code).toBe(2)
  const missing = await adopt('tusd', [urlOf('no-such-bucket')])
  expect([missing.code, missing.errors]).toEqual([2, expect.stringContaining('no-such-bucket')])
})
