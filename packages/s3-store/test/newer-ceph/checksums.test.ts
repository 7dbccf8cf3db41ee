import { createHash, randomBytes } from 'node:crypto'
import { HeadObjectCommand, type CompleteMultipartUploadCommandInput } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createUpload, idOf, patch, post, send } from '../../../../test/support/serve.js'
import { CephGateway } from '../../services.js'
import { serveS3 } from '../serve-s3.js'

const partSize = 65_536

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

/** A server and the parts that it names when it completes multipart uploads. */
async function site() {
  const [client, bucket] = [ceph.client(), await ceph.createBucket()]
  const completed: CompleteMultipartUploadCommandInput[] = []
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        if (commandName === 'CompleteMultipartUploadCommand') {
          completed.push(args.input as CompleteMultipartUploadCommandInput)
        }
        return next(args)
      },
    { step: 'initialize' },
  )
  const store = { provider: { minPartSize: partSize }, partSize }
  const served = await serveS3({ client, bucket, store })
  const checksumOf = async (url: string) => {
    const head = { Bucket: bucket, Key: idOf(url), ChecksumMode: 'ENABLED' as const }
    return (await client.send(new HeadObjectCommand(head))).ChecksumCRC32
  }
  return { ...served, completed, checksumOf }
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('parts of several requests keep the checksums that the client adds', async () => {
  const s3 = await site()
  const content = randomBytes(3 * partSize + 100)
  const url = await createUpload(s3, { 'upload-length': content.length })
  const half = 1.5 * partSize
  expect(await patch(url, 0, content.subarray(0, half))).toMatchObject({ status: 204 })
  expect(await patch(url, half, content.subarray(half))).toMatchObject({ status: 204 })
  expect(sha256((await send({ method: 'GET', url })).body)).toBe(sha256(content))
  const [{ MultipartUpload }] = s3.completed as [CompleteMultipartUploadCommandInput]
  const checksums = MultipartUpload!.Parts!.map(({ ChecksumCRC32 }) => ChecksumCRC32)
  expect(checksums).toEqual(Array.from({ length: 4 }, () => expect.stringMatching(/^[\w+/]{6}==$/)))
  expect(await s3.checksumOf(url)).toBeDefined()
})

test('a small file keeps its checksum', async () => {
  const s3 = await site()
  const created = await post(s3, { 'upload-length': '5' }, 'hello')
  expect(await s3.checksumOf(created.headers.location!)).toBe('NhCmhg==')
})
