import { createHash, randomBytes } from 'node:crypto'
import {
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  S3ServiceException,
  type MultipartUpload,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createUpload,
  head,
  offsetOf,
  openPatch,
  patch,
  post,
  remove,
  send,
  tus,
  until,
  type Reply,
  type Site,
} from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'
import { S3Locker } from '@tuskit/s3-store'
import { CephGateway } from '../services.js'
import { Bucket } from '../src/bucket/bucket.js'
import { failRequests, type SentRequest } from './fail-requests.js'
import { contentsOf, serveS3, type SiteOptions } from './serve-s3.js'

// Faults that the S3 stores of tusd, Rustus and @tus/server have or had.

const partSize = 65_536

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

interface S3Site extends Site {
  readonly client: S3Client
  readonly bucket: string
}

async function site(options: Partial<SiteOptions> = {}): Promise<S3Site> {
  const [client, bucket] = [ceph.client(), await ceph.createBucket()]
  const store = { provider: { minPartSize: partSize }, partSize, ...options.store }
  const handler = { logger: silent, ...options.handler }
  const served = await serveS3({ client, bucket, ...options, store, handler })
  return { ...served, client, bucket }
}

const idOf = (url: string) => url.split('/').at(-1)!

async function contentOf(url: string): Promise<string> {
  const { status, body } = await send({ method: 'GET', url })
  expect(status).toBe(200)
  return sha256(body)
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describe('parts', () => {
  test('when one of several parts fails, what follows it does not count', async () => {
    const s3 = await site()
    const content = randomBytes(5 * partSize)
    const url = await createUpload(s3, { 'upload-length': content.length })
    let broken = true
    const isSecond = ({ name, input }: SentRequest) =>
      name === 'UploadPart' && input.PartNumber === 2
    failRequests(s3.client, (request) => broken && isSecond(request))
    expect(await patch(url, 0, content)).toMatchObject({ status: 503 })
    expect(await offsetOf(url)).toBe(String(partSize))
    broken = false
    expect(await patch(url, partSize, content.subarray(partSize))).toMatchObject({ status: 204 })
    expect(await contentOf(url)).toBe(sha256(content))
  })

  test('bytes that do not fill a part remain until the part is stored that contains them', async () => {
    const s3 = await site()
    const content = randomBytes(2 * partSize)
    const url = await createUpload(s3, { 'upload-length': content.length })
    await patch(url, 0, content.subarray(0, 50_000))
    let broken = true
    failRequests(s3.client, ({ name }) => broken && name === 'UploadPart')
    expect(await patch(url, 50_000, content.subarray(50_000))).toMatchObject({ status: 503 })
    expect(await offsetOf(url)).toBe('50000')
    broken = false
    expect(await patch(url, 50_000, content.subarray(50_000))).toMatchObject({ status: 204 })
    expect(await contentOf(url)).toBe(sha256(content))
  })

  test('interruptions without number do not use up the numbers of parts', async () => {
    const provider = { minPartSize: partSize, maxParts: 8 }
    const s3 = await site({ store: { provider } })
    const content = randomBytes(7 * partSize + 1)
    const url = await createUpload(s3, { 'upload-length': content.length })
    const step = 20_000
    for (let offset = 0; offset < content.length; offset += step) {
      const bytes = content.subarray(offset, offset + step)
      expect(await patch(url, offset, bytes)).toMatchObject({ status: 204 })
    }
    expect(await contentOf(url)).toBe(sha256(content))
  })

  test('a part that the service refuses once is sent again', async () => {
    const s3 = await site()
    let refused = 0
    s3.client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName !== 'UploadPartCommand' || refused > 0) return next(args)
          refused++
          throw Object.assign(new Error('reset'), { code: 'ECONNRESET', name: 'TimeoutError' })
        },
      { step: 'deserialize', priority: 'low' },
    )
    const content = randomBytes(2 * partSize)
    const url = await createUpload(s3, { 'upload-length': content.length })
    expect(await patch(url, 0, content)).toMatchObject({ status: 204 })
    expect(refused).toBe(1)
    expect(await contentOf(url)).toBe(sha256(content))
  })

  test('clients that send slowly keep no others out', async () => {
    const s3 = await site({ store: { maxParallel: 1 } })
    const slow = []
    for (let i = 0; i < 8; i++) {
      const url = await createUpload(s3, { 'upload-length': 4 * partSize })
      const { request } = openPatch(url, 0, { 'content-length': 4 * partSize })
      request.on('error', () => {})
      await new Promise((resolve) => request.write(randomBytes(partSize / 2), resolve))
      slow.push(request)
    }
    const created = await post(s3, { 'upload-length': 3 * partSize }, randomBytes(3 * partSize))
    expect(created.status).toBe(201)
    for (const request of slow) request.destroy()
  })
})

describe('offsets', () => {
  test('bytes that do not fill a part count before HEAD reports the offset', async () => {
    const s3 = await site()
    const content = randomBytes(3 * partSize)
    const url = await createUpload(s3, { 'upload-length': content.length })
    const { request, reply } = openPatch(url, 0, { 'content-length': content.length })
    const ended = expect(reply).rejects.toThrow()
    request.write(content.subarray(0, 1.5 * partSize))
    // HEAD interrupts no client that is alive, so it may find the first part only.
    await until(
      () => offsetOf(url),
      (offset) => offset === String(1.5 * partSize),
    )
    const rest = content.subarray(1.5 * partSize)
    expect(await patch(url, 1.5 * partSize, rest)).toMatchObject({ status: 204 })
    expect(await contentOf(url)).toBe(sha256(content))
    await ended
  })
})

describe('several processes', () => {
  test('the offset that another process reports is good for the next PATCH', async () => {
    const [client, bucket] = [ceph.client(), await ceph.createBucket()]
    const store = { provider: { minPartSize: partSize }, partSize }
    const handler = { settleTimeout: 60_000, logger: silent }
    const place = { client, bucket, store, handler, lease: 20_000 }
    const [one, two] = [await serveS3(place), await serveS3(place)]
    const content = randomBytes(3 * partSize)
    const url = await createUpload(one, { 'upload-length': content.length })
    const { request, reply } = openPatch(url, 0, { 'content-length': content.length })
    const ended = expect(reply).rejects.toThrow()
    request.write(content.subarray(0, 1.5 * partSize))
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
    const [{ Key, UploadId }] = Uploads as [MultipartUpload]
    await until(
      () => client.send(new ListPartsCommand({ Bucket: bucket, Key, UploadId })),
      ({ Parts = [] }) => Parts.length > 0,
    )
    const there = url.replace(one.origin, two.origin)
    expect(await offsetOf(there)).toBe(String(1.5 * partSize))
    const rest = content.subarray(1.5 * partSize)
    expect(await patch(there, 1.5 * partSize, rest)).toMatchObject({ status: 204 })
    expect(await contentOf(there)).toBe(sha256(content))
    await ended
  })
})

describe('lengths', () => {
  test('an empty upload is an object', async () => {
    const s3 = await site()
    const url = await createUpload(s3, { 'upload-length': '0' })
    const found = await s3.client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: idOf(url) }))
    expect(found.ContentLength).toBe(0)
    expect(await contentsOf(s3.client, s3.bucket)).toHaveLength(2)
  })

  test.each([0, 1, partSize - 1, partSize, 3 * partSize + 5])(
    'a length of %d that is declared with the last bytes loses none of them',
    async (size) => {
      const s3 = await site()
      const content = randomBytes(size)
      const url = await createUpload(s3, { 'upload-defer-length': '1' })
      const first = Math.floor(size / 2)
      await patch(url, 0, content.subarray(0, first))
      const last = await patch(url, first, content.subarray(first), { 'upload-length': size })
      expect(last.status).toBe(204)
      expect(await contentOf(url)).toBe(sha256(content))
      expect(await contentsOf(s3.client, s3.bucket)).toHaveLength(2)
    },
  )

  test('an upload of the IETF draft whose end is not announced is complete', async () => {
    const s3 = await site()
    const content = randomBytes(2 * partSize + 7)
    const created = await send({
      method: 'POST',
      url: `${s3.origin}/files`,
      headers: { 'upload-complete': '?1', 'transfer-encoding': 'chunked' },
      body: content,
    })
    expect(created.status).toBe(201)
    const url = new URL(created.headers.location!, s3.origin).href
    expect(await contentOf(url)).toBe(sha256(content))
  })
})

describe('creations', () => {
  const urlOf = ({ origin }: S3Site, { headers }: Reply) => new URL(headers.location!, origin).href

  test('an upload whose first bytes have a wrong checksum is not missing', async () => {
    const s3 = await site()
    const checksum = createHash('sha1').update('other bytes').digest('base64')
    const headers = { 'upload-length': '5', 'upload-checksum': `sha1 ${checksum}` }
    const created = await post(s3, headers, 'hello')
    expect(created.status).toBe(460)
    const url = urlOf(s3, created)
    expect(await offsetOf(url)).toBe('0')
    expect(await patch(url, 0, 'hello')).toMatchObject({ status: 204 })
    expect(await contentOf(url)).toBe(sha256(Buffer.from('hello')))
  })

  test('an upload whose first bytes could not be stored is not missing', async () => {
    const s3 = await site()
    let broken = true
    const isPrivate = (key?: string) => key!.startsWith('.tuskit/')
    failRequests(
      s3.client,
      ({ name, input }) => broken && name === 'PutObject' && !isPrivate(input.Key),
    )
    const created = await post(s3, { 'upload-length': '5' }, 'hello')
    expect(created.status).toBe(503)
    broken = false
    const url = urlOf(s3, created)
    expect(await offsetOf(url)).toBe('0')
    expect(await patch(url, 0, 'hello')).toMatchObject({ status: 204 })
    expect(await contentOf(url)).toBe(sha256(Buffer.from('hello')))
  })
})

describe('ends', () => {
  test('finishing that failed is done again by the next request', async () => {
    const s3 = await site()
    const content = randomBytes(3 * partSize)
    const url = await createUpload(s3, { 'upload-length': content.length })
    let broken = true
    failRequests(s3.client, ({ name }) => broken && name === 'CompleteMultipartUpload')
    expect(await patch(url, 0, content)).toMatchObject({ status: 503 })
    expect(await head(url)).toMatchObject({ status: 423 })
    broken = false
    expect(await offsetOf(url)).toBe(String(content.length))
    expect(await contentOf(url)).toBe(sha256(content))
  })

  test.each(['unfinished', 'finished'])(
    'nothing remains of %s uploads that are removed',
    async (kind) => {
      const s3 = await site()
      for (const size of [100, 3 * partSize + 100]) {
        const url = await createUpload(s3, { 'upload-length': size })
        const bytes = randomBytes(kind === 'finished' ? size : size - 50)
        expect(await patch(url, 0, bytes)).toMatchObject({ status: 204 })
        expect(await remove(url)).toMatchObject({ status: 204 })
      }
      // The records follow when the event has been delivered.
      await until(
        () => contentsOf(s3.client, s3.bucket),
        (keys) => keys.length === 0,
      )
    },
  )

  test('the parts of an upload are removed even among many keys that begin like its own', async () => {
    const [client, bucket] = [ceph.client(), await ceph.createBucket()]
    const create = (Key: string) =>
      client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }))
    for (let first = 0; first < 1_020; first += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, i) => create(`a-${first + i}`)))
    }
    const { UploadId } = await create('a')
    const { multipart } = new Bucket(client, bucket)
    expect(await multipart.idsOf('a', new AbortController().signal)).toEqual([UploadId])
  })

  test('expiry leaves multipart uploads of other applications alone', async () => {
    const s3 = await site({ handler: { expiration: { after: 1 } } })
    const other = { Bucket: s3.bucket, Key: 'of-another-application' }
    await s3.client.send(new CreateMultipartUploadCommand(other))
    await createUpload(s3, { 'upload-length': 3 * partSize })
    await until(
      () => s3.handler.uploads.removeExpired(),
      (removed) => removed === 1,
    )
    const { Uploads = [] } = await s3.client.send(
      new ListMultipartUploadsCommand({ Bucket: s3.bucket }),
    )
    expect(Uploads.map(({ Key }) => Key)).toEqual([other.Key])
  })

  test('records that cannot be read are no missing uploads', async () => {
    const s3 = await site()
    const url = await createUpload(s3, { 'upload-length': 100 })
    failRequests(s3.client, ({ name }) => name === 'GetObject')
    expect(await head(url)).toMatchObject({ status: 423 })
  })
})

describe('locks', () => {
  test('a lock is taken and released although others write its object at that moment', async () => {
    const [client, bucket] = [ceph.client(), await ceph.createBucket()]
    const locker = new S3Locker({ client, bucket })
    await locker.open()
    let conflicts = 0
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName !== 'PutObjectCommand' || conflicts === 0) return next(args)
          conflicts--
          throw new S3ServiceException({
            ...{ name: 'ConditionalRequestConflict', message: 'A conflicting operation occurred' },
            ...{ $fault: 'client', $metadata: { httpStatusCode: 409 } },
          })
        },
      { step: 'initialize' },
    )
    const options = { signal: new AbortController().signal, requestRelease: () => true }
    conflicts = 2
    const lock = await locker.acquire('a', options)
    conflicts = 2
    await lock.release()
    const next = await locker.acquire('a', options)
    expect(next.forced).toBe(false)
    await next.release()
  })
})

describe('objects', () => {
  const metadata = (values: Readonly<Record<string, string>>) =>
    Object.entries(values)
      .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
      .join(',')

  async function headersOf(s3: S3Site, key: string) {
    return s3.client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: key }))
  }

  test.each([10, 2 * partSize])('%d bytes get the type and the name of the file', async (size) => {
    const s3 = await site()
    const given = { filename: 'Übung "1" 100%.pdf', filetype: 'application/pdf' }
    const headers = { 'upload-length': size, 'upload-metadata': metadata(given) }
    const created = await post(s3, headers, randomBytes(size))
    const found = await headersOf(s3, idOf(created.headers.location!))
    expect(found.ContentType).toBe('application/pdf')
    expect(found.ContentDisposition).toBe(
      `attachment; filename="_bung _1_ 100_.pdf"; filename*=UTF-8''%C3%9Cbung%20%221%22%20100%25.pdf`,
    )
  })

  test('a concatenation keeps its type, however small its parts are', async () => {
    // Not with %, which this gateway decodes twice.
    const s3 = await site({ store: { locate: ({ id }) => `ä ö+?&=/${id}` } })
    const pieces = [10, 3 * partSize + 1, 0, 20, 30, partSize, 5].map((size) => randomBytes(size))
    const urls: string[] = []
    for (const piece of pieces) {
      const partial = { 'upload-length': piece.length, 'upload-concat': 'partial' }
      const url = await createUpload(s3, partial)
      if (piece.length > 0) await patch(url, 0, piece)
      urls.push(new URL(url).pathname)
    }
    const created = await send({
      method: 'POST',
      url: `${s3.origin}/files`,
      headers: {
        ...tus,
        'upload-concat': `final;${urls.join(' ')}`,
        'upload-metadata': metadata({ filetype: 'video/mp4' }),
      },
    })
    expect(created.status).toBe(201)
    const url = new URL(created.headers.location!, s3.origin).href
    expect(await contentOf(url)).toBe(sha256(Buffer.concat(pieces)))
    const found = await headersOf(s3, `ä ö+?&=/${idOf(url)}`)
    expect(found.ContentType).toBe('video/mp4')
  })

  test('only ranges of large objects are copied: S3 refuses others', async () => {
    const s3 = await site()
    const copies: { readonly CopySource: string; readonly CopySourceRange?: string }[] = []
    s3.client.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          if (commandName === 'UploadPartCopyCommand') copies.push(args.input as never)
          return next(args)
        },
      { step: 'initialize' },
    )
    const sizes = [partSize, 10, partSize, 3 * partSize, partSize - 1]
    const paths: string[] = []
    for (const size of sizes) {
      const partial = { 'upload-length': size, 'upload-concat': 'partial' }
      paths.push((await post(s3, partial, randomBytes(size))).headers.location!)
    }
    const created = await post(s3, { 'upload-concat': `final;${paths.join(' ')}` })
    expect(created.status).toBe(201)
    // The second one is filled up from the others.
    const [first, , , fourth] = paths.map((path) => `${s3.bucket}/${idOf(path)}`)
    const found = copies.map(({ CopySource, CopySourceRange = 'all' }) => {
      return `${CopySource} ${CopySourceRange}`
    })
    const rest = `bytes=${partSize - 10}-${3 * partSize - 1}`
    expect(new Set(found)).toEqual(new Set([`${first} all`, `${fourth} ${rest}`]))
  })

  test('parameters of the application reach the object', async () => {
    const parameters = { CacheControl: 'max-age=60', ContentType: 'text/x-mine' }
    const s3 = await site({ store: { parameters } })
    for (const size of [10, 2 * partSize]) {
      const created = await post(s3, { 'upload-length': size }, randomBytes(size))
      const found = await headersOf(s3, idOf(created.headers.location!))
      expect(found).toMatchObject(parameters)
    }
  })

  test('downloads have ranges, and can be redirected', async () => {
    const s3 = await site()
    const created = await post(s3, { 'upload-length': '11' }, 'hello world')
    const url = new URL(created.headers.location!, s3.origin).href
    const part = await send({ method: 'GET', url, headers: { range: 'bytes=6-' } })
    expect(part).toMatchObject({ status: 206, text: 'world' })

    const redirecting = await site({
      store: { redirect: (bucket, key) => `https://cdn.example/${bucket}/${key}` },
    })
    const other = await post(redirecting, { 'upload-length': '2' }, 'hi')
    const { location } = other.headers
    const reply = await send({ method: 'GET', url: redirecting.origin + location! })
    const target = `https://cdn.example/${redirecting.bucket}/${idOf(location!)}`
    expect(reply).toMatchObject({ status: 307, headers: { location: target } })
  })

  test('an object that is there already is not replaced', async () => {
    const s3 = await site({
      handler: { hooks: { preCreate: () => ({ place: { key: 'same' } }) } },
    })
    expect(await post(s3, { 'upload-length': '5' }, 'first')).toMatchObject({ status: 201 })
    expect(await post(s3, { 'upload-length': '6' }, 'second')).toMatchObject({ status: 422 })
    const found = await headersOf(s3, 'same')
    expect(found.ContentLength).toBe(5)
  })
})
