import { createHash } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import { HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { Upload } from 'tus-js-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../../../../test/support/serve.js'
import { startProgram } from '../../../server/test/program.js'
import { CephGateway } from '../../services.js'
import { contentsOf } from '../serve-s3.js'
import { adopt, env } from './adopt.js'
import {
  contentOf,
  recordedUpload,
  recordedUploads,
  restore,
  type RecordedUpload,
} from './restore.js'

let ceph: CephGateway
let client: S3Client

beforeAll(async () => {
  ceph = await CephGateway.start()
  client = ceph.client()
})
afterAll(() => ceph.stop())

const tus = { 'tus-resumable': '1.0.0' }

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Returns the URL of a bucket, for the program. */
function urlOf(bucket: string, prefix = ''): string {
  return `s3://${bucket}${prefix}?endpoint=${ceph.endpoint}&region=us-east-1`
}

/** Returns the objects with their ETags and times, and the multipart uploads. */
async function stateOf(bucket: string): Promise<readonly string[]> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  const objects = Contents.map(({ Key, ETag, LastModified }) => `${Key} ${ETag} ${+LastModified!}`)
  const multipart = (await contentsOf(client, bucket)).filter((key) => key.startsWith('multipart'))
  return [...objects, ...multipart].toSorted()
}

/** Checks that an upload is served as the old server has described it. */
async function checkHead(base: string, upload: RecordedUpload): Promise<void> {
  const { id, name, length, offset, concat } = upload
  const { status, headers } = await fetch(base + id, { method: 'HEAD', headers: tus })
  const metadata = Object.entries(upload.metadata).map(([key, value]) => [key, value ?? ''])
  expect({
    name,
    status,
    offset: Number(headers.get('upload-offset')),
    length: headers.get('upload-length'),
    deferred: headers.get('upload-defer-length'),
    concat: headers.get('upload-concat')?.split(';')[0],
    metadata: decoded(headers.get('upload-metadata')),
  }).toEqual({
    name,
    status: 200,
    offset,
    length: length === null ? null : String(length),
    deferred: length === null ? '1' : null,
    concat,
    metadata: Object.fromEntries(metadata),
  })
}

function decoded(header: string | null): Readonly<Record<string, string>> {
  const pairs = (header ?? '').split(',').filter((pair) => pair !== '')
  return Object.fromEntries(
    pairs.map((pair) => {
      const [key = '', value = ''] = pair.split(' ')
      return [key, Buffer.from(value, 'base64').toString()]
    }),
  )
}

/** Sends the rest of an upload in requests of so many bytes. */
async function finishPlainly(url: string, upload: RecordedUpload, size: number): Promise<void> {
  const content = contentOf(upload)
  for (let { offset } = upload; offset < content.length;) {
    const body = new Uint8Array(content.subarray(offset, offset + size))
    const isLast = offset + body.length === content.length
    const { status, headers } = await fetch(url, {
      method: 'PATCH',
      headers: {
        ...tus,
        'content-type': 'application/offset+octet-stream',
        'upload-offset': String(offset),
        ...(upload.length === null && isLast && { 'upload-length': String(content.length) }),
      },
      body,
    })
    offset += body.length
    expect([upload.name, status, headers.get('upload-offset')]).toEqual([
      upload.name,
      204,
      String(offset),
    ])
  }
}

/** Finishes an upload with tus-js-client. */
async function finishWithClient(url: string, upload: RecordedUpload): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    new Upload(contentOf(upload), {
      uploadUrl: url,
      chunkSize: 3_000_000,
      retryDelays: [],
      onError: reject,
      onSuccess: () => resolve(),
    }).start()
  })
}

const isRefused = ({ name }: RecordedUpload) => name === 's3-slash'

test.for(['tusd', 'tus-node'] as const)(
  '%s: uploads are adopted, continue at the same URLs, and leave nothing when they are removed',
  async (server) => {
    const bucket = await ceph.createBucket()
    const uploads: RecordedUpload[] = []
    for (const upload of recordedUploads.filter((one) => one.server === server)) {
      expect(sha256(contentOf(upload).subarray(0, upload.offset))).toBe(upload.sha256)
      uploads.push(await restore(client, bucket, upload))
    }
    const inRoot = uploads.filter(({ prefix }) => prefix === undefined)
    const refused = uploads.filter((upload) => isRefused(upload) || upload.prefix !== undefined)
    const data = urlOf(bucket)
    const before = await stateOf(bucket)

    const trial = await adopt(server, [data, '--dry-run'])
    for (const upload of inRoot) {
      const line = trial.output.split('\n').find((text) => text.split(/ {2,}/)[1] === upload.id)
      expect(line).toMatch(isRefused(upload) ? /^not adopted / : /^adopt /)
    }
    expect(await stateOf(bucket)).toEqual(before)

    const first = await adopt(server, [data])
    const adopted = uploads.length - refused.length
    const rest = `${refused.length} not adopted.`
    expect(first.output).toContain(`Uploads: ${adopted} adopted, 0 adopted before, ${rest}\n`)
    expect(first.output).toContain(`Now start the server with --data '${data}'\n`)
    expect(first.code).toBe(refused.length === 0 ? 0 : 1)
    const after = await stateOf(bucket)
    expect(after).toEqual(expect.arrayContaining(before as string[]))
    const second = await adopt(server, [data])
    expect(second.output).toContain(`Uploads: 0 adopted, ${adopted} adopted before, ${rest}\n`)
    expect(await stateOf(bucket)).toEqual(after)
    for (const { prefix } of uploads) {
      if (prefix === undefined) continue
      expect(first.errors).toContain('its record is in another folder: name that in the URL')
      const { output, code } = await adopt(server, [urlOf(bucket, `/${prefix}`), '--data', data])
      expect(output).toContain('Uploads: 1 adopted, 0 adopted before, 0 not adopted.\n')
      expect(code).toBe(0)
    }

    const { url: base } = await startProgram(['--data', data, '--locks', 'memory:'], { env })
    const served = uploads.filter((upload) => !isRefused(upload))
    for (const [index, upload] of served.entries()) {
      await checkHead(base, upload)
      const url = base + upload.id
      if (upload.length === null || index % 2 === 0) await finishPlainly(url, upload, 4_000_000)
      else await finishWithClient(url, upload)
      const content = new Uint8Array(await (await fetch(url)).arrayBuffer())
      expect([upload.name, sha256(content)]).toEqual([upload.name, sha256(contentOf(upload))])
    }
    for (const { id } of served) {
      const { status } = await fetch(base + id, { method: 'DELETE', headers: tus })
      expect([id, status]).toEqual([id, 204])
    }
    const left = uploads
      .filter(isRefused)
      .flatMap(({ objects, multipart }) => [
        ...objects.map(({ key }) => key),
        `multipart upload of ${multipart!.key}`,
      ])
    // The last record is deleted after the response.
    await until(
      () => contentsOf(client, bucket),
      (contents) => contents.join() === left.join(),
    )
  },
)

test('adopted partial uploads can be concatenated', async () => {
  const bucket = await ceph.createBucket()
  const names = ['tusd-partial-large', 'tusd-partial-small', 'tusd-partial-unfinished']
  const uploads = await Promise.all(
    names.map((name) => restore(client, bucket, recordedUpload(name))),
  )
  const data = urlOf(bucket)
  expect((await adopt('tusd', [data])).code).toBe(0)
  const { url: base } = await startProgram(['--data', data, '--locks', 'memory:'], { env })
  await finishPlainly(base + uploads[2]!.id, uploads[2]!, 10_000_000)
  const paths = uploads.map(({ id }) => new URL(base + id).pathname)
  const headers = { ...tus, 'upload-concat': `final;${paths.join(' ')}` }
  const created = await fetch(base, { method: 'POST', headers })
  expect(created.status).toBe(201)
  const content = await fetch(new URL(created.headers.get('location')!, base))
  const whole = Buffer.concat(uploads.map((upload) => contentOf(upload)))
  expect(sha256(new Uint8Array(await content.arrayBuffer()))).toBe(sha256(whole))
})

test('--remove-records removes what the old server needed, and nothing else', async () => {
  const bucket = await ceph.createBucket()
  const upload = await restore(client, bucket, recordedUpload('s3-part-and-tail'))
  const data = urlOf(bucket)
  expect((await adopt('tus-node', [data])).code).toBe(0)
  const { code, output } = await adopt('tus-node', [data, '--remove-records'])
  expect(output).toContain('0 adopted, 1 adopted before')
  expect(code).toBe(0)
  expect(await contentsOf(client, bucket)).toEqual([
    `.tuskit/records/${upload.id}`,
    `.tuskit/tails/${upload.id}`,
    `multipart upload of ${upload.id}`,
  ])
  const { url: base } = await startProgram(['--data', data], { env })
  await checkHead(base, upload)
  await finishPlainly(base + upload.id, upload, 10_000_000)
  const key = { Bucket: bucket, Key: upload.id }
  expect(await client.send(new HeadObjectCommand(key))).toMatchObject({
    ContentType: 'text/plain; charset=utf-8',
    CacheControl: 'max-age=60',
  })
})
