import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import {
  CreateMultipartUploadCommand,
  PutObjectCommand,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import {
  metadataOf,
  type AppendOptions,
  type CreateOptions,
  type Json,
  type Stat,
  type UnplacedUpload,
  type Upload,
  type UploadBody,
} from 'tuskit'
import { S3Store, type S3StoreOptions } from '@tuskit/s3-store'
import { AdoptableObjects } from '../src/adoption/adoptable-objects.js'
import { CephGateway } from '../services.js'
import { Bucket } from '../src/bucket/bucket.js'
import { countRequests } from './counted-client.js'

const partSize = 65_536

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

async function openStore(sizes: Partial<S3StoreOptions> = { partSize }): Promise<S3Store> {
  const provider = { minPartSize: partSize }
  const options = { client: ceph.client(), bucket: await ceph.createBucket() }
  const store = new S3Store({ ...options, provider, ...sizes })
  await store.open()
  return store
}

const options: AppendOptions = {
  signal: new AbortController().signal,
  fence: { token: 1, forced: false, held: () => true, shutOut: () => {} },
  saveSecret: async () => {},
  progress: () => {},
}

function uploadIn(store: S3Store, id: string, length: number, key = id): Upload {
  const unplaced: UnplacedUpload = {
    id,
    length,
    revision: 1,
    protocol: 'tus',
    metadata: metadataOf({}),
    createdAt: new Date().toISOString(),
    finish: 'recorded',
    state: { kind: 'open' },
  }
  return { ...unplaced, storage: store.locate({ ...unplaced, place: { key } }) }
}

/** Creates an upload. Returns it with its secret. */
async function created(store: S3Store, upload: Upload): Promise<Upload> {
  let result = upload
  const saveSecret = async (secret: Json) => {
    result = { ...upload, storage: { ...upload.storage, secret } }
  }
  const creation: CreateOptions = { ...options, incoming: 'some', saveSecret }
  await store.create(upload, creation)
  return result
}

function bodyOf(bytes: Buffer): UploadBody {
  async function* batches() {
    if (bytes.length > 0) yield [bytes]
  }
  return { size: bytes.length, [Symbol.asyncIterator]: batches } as unknown as UploadBody
}

test('an append of nothing to a complete upload changes nothing', async () => {
  const store = await openStore()
  const length = 2 * partSize + 10
  const upload = await created(store, uploadIn(store, 'a', length))
  await store.append(upload, { offset: 0 }, bodyOf(randomBytes(length)), options)
  const stored = await store.stat(upload, options)
  expect(stored.offset).toBe(length)
  const after = await store.append(upload, stored, bodyOf(Buffer.alloc(0)), options)
  expect(after.offset).toBe(length)
  expect(await store.stat(upload, options)).toMatchObject({ offset: length })
})

test('a small object that comes late replaces no other', async () => {
  const client = ceph.client()
  const bucket = await ceph.createBucket()
  const store = new S3Store({ client, bucket })
  await store.open()
  const upload = uploadIn(store, 'a', 5)
  let send = () => {}
  const held = new Promise<void>((resolve) => (send = resolve))
  const reached = new Promise<void>((reach) => {
    client.middlewareStack.add(
      (next) => async (args) => {
        reach()
        await held
        return next(args)
      },
      { step: 'finalizeRequest', priority: 'low' },
    )
  })
  const creation: CreateOptions = { ...options, incoming: 'everything' }
  await store.create(upload, creation)
  const late = store.append(upload, { offset: 0 }, bodyOf(Buffer.from('early')), options)
  await reached
  const other = new S3Store({ client: ceph.client(), bucket })
  await other.open()
  await other.create(upload, creation)
  await other.append(upload, { offset: 0 }, bodyOf(Buffer.from('later')), options)
  send()
  await late
  const { body } = (await new Bucket(ceph.client(), bucket).get('a', options.signal))!
  expect((await body.toArray()).toString()).toBe('later')
})

test('an upload replaces what an earlier one with the same id has left', async () => {
  const store = await openStore()
  const creation: CreateOptions = { ...options, incoming: 'everything' }
  for (const [createdAt, content] of [
    ['2026-01-01T00:00:00.000Z', 'early'],
    ['2026-01-02T00:00:00.000Z', 'later'],
  ] as const) {
    const upload = { ...uploadIn(store, 'a', 5), createdAt }
    await store.create(upload, creation)
    await store.append(upload, { offset: 0 }, bodyOf(Buffer.from(content)), options)
    const read = (await store.read(upload, undefined, options)) as Readable
    expect(Buffer.concat(await read.toArray()).toString()).toBe(content)
  }
})

test('removing an upload that did not get its place leaves the one that has it alone', async () => {
  const store = await openStore()
  const length = 4 * partSize
  const upload = await created(store, uploadIn(store, 'a', length, 'same'))
  await store.append(upload, { offset: 0 }, bodyOf(randomBytes(2 * partSize + 10)), options)
  const other = uploadIn(store, 'b', length, 'same')
  await expect(created(store, other)).rejects.toMatchObject({ code: 'ERR_DATA_EXISTS' })
  await expect(store.stat(other, options)).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' })
  await store.terminate(other, options)
  expect(await store.stat(upload, options)).toMatchObject({ offset: 2 * partSize + 10 })
  await store.terminate(upload, options)
  await expect(store.stat(upload, options)).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' })
})

test('verified chunks do not wait for the memory that they have themselves', async () => {
  const size = 4 * partSize
  const store = await openStore({ partSize: size, maxMemory: size })
  const content = randomBytes(2 * size)
  const upload = await created(store, uploadIn(store, 'a', content.length))
  const accept = async () => true
  let stored: Stat = { offset: 0 }
  while (stored.offset < content.length) {
    const body = bodyOf(content.subarray(stored.offset, stored.offset + size / 2))
    stored = await store.appendVerified(upload, stored, body, accept, options)
  }
  await store.finish(upload, stored, options)
  const found = (await store.read(
    { ...upload, length: content.length },
    undefined,
    options,
  )) as Readable
  expect(Buffer.concat(await found.toArray()).equals(content)).toBe(true)
})

test('an upload is removed from a full bucket, even if its lock was taken over', async () => {
  const [client, bucket] = [ceph.client(), await ceph.createBucket()]
  const store = new S3Store({ client, bucket })
  const upload = await created(store, uploadIn(store, 'a', 5))
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        if (commandName !== 'PutObjectCommand') return next(args)
        throw new S3ServiceException({
          ...{ name: 'QuotaExceeded', message: 'The bucket is full.' },
          ...{ $fault: 'client', $metadata: { httpStatusCode: 403 } },
        })
      },
    { step: 'initialize' },
  )
  const fence = { ...options.fence, forced: true }
  await store.terminate(upload, { ...options, fence })
  await expect(store.stat(upload, options)).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' })
})

test('an adopted upload continues after a rest that is as long as a part', async () => {
  const [client, bucket] = [ceph.client(), await ceph.createBucket()]
  const sizes = { provider: { minPartSize: partSize }, partSize }
  const store = new S3Store({ client, bucket, ...sizes })
  await store.open()
  const content = randomBytes(3 * partSize)
  const place = { Bucket: bucket, Key: 'old' }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(place))
  const Body = content.subarray(0, partSize)
  await client.send(new PutObjectCommand({ ...place, Key: 'old.part', Body }))
  const adoptable = await AdoptableObjects.open({ client, bucket, ...sizes }, '')
  const old = { id: 'old', key: 'old', info: 'old.info', part: 'old.part', multipart: UploadId }
  const found = await adoptable.find(
    { ...old, length: content.length, maxSize: undefined },
    options.signal,
  )
  const upload = { ...uploadIn(store, 'old', content.length), storage: found.storage }
  await found.prepare(upload)
  const body = bodyOf(content.subarray(partSize))
  const stored = await store.append(upload, { offset: partSize }, body, options)
  expect(stored.offset).toBe(content.length)
  await store.finish(upload, stored, options)
  const read = (await store.read(upload, undefined, options)) as Readable
  expect(Buffer.concat(await read.toArray()).equals(content)).toBe(true)
})

test('a part as large as the memory is sent without a detour', async () => {
  const client = ceph.client()
  const place = { client, bucket: await ceph.createBucket() }
  const provider = { minPartSize: partSize }
  const store = new S3Store({ ...place, provider, partSize, maxMemory: partSize })
  await store.open()
  const upload = await created(store, uploadIn(store, 'a', 3 * partSize))
  const since = countRequests(client)
  await store.append(upload, { offset: 0 }, bodyOf(randomBytes(3 * partSize)), options)
  expect(since().map(({ name }) => name)).toEqual(['UploadPart', 'UploadPart', 'UploadPart'])
})

test('memory is not taken from a body that has ended', async () => {
  const client = ceph.client()
  const sent = gate()
  const written: string[] = []
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const { Key } = args.input as { readonly Key?: string }
        if (commandName === 'PutObjectCommand') written.push(Key!)
        if (commandName === 'UploadPartCommand') await sent.opened
        return next(args)
      },
    { step: 'initialize' },
  )
  const place = { client, bucket: await ceph.createBucket() }
  const provider = { minPartSize: partSize }
  const store = new S3Store({ ...place, provider, partSize, maxMemory: 3 * partSize })
  await store.open()
  const begin = async (id: string, bytes: Buffer) => {
    const upload = await created(store, uploadIn(store, id, 10 * partSize))
    const [taken, ended] = [gate(), gate()]
    async function* batches() {
      yield [bytes]
      taken.open()
      await ended.opened
    }
    const body = { size: undefined, [Symbol.asyncIterator]: batches } as unknown as UploadBody
    const stored = store.append(upload, { offset: 0 }, body, options)
    return { upload, stored, taken: taken.opened, end: ended.open }
  }
  const content = randomBytes(partSize + 10)
  const first = await begin('a', content)
  await first.taken
  const second = await begin('b', Buffer.from('b'))
  await second.taken
  first.end()
  await new Promise(setImmediate)
  // Everything before is long ago for those that wait now.
  const now = performance.now.bind(performance)
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 10_000)
  onTestFinished(() => void clock.mockRestore())
  second.end()
  expect((await second.stored).offset).toBe(1)
  const others = await Promise.all(['c', 'd', 'e', 'f'].map((id) => begin(id, Buffer.from(id))))
  await new Promise(setImmediate)
  for (const { end } of others) end()
  sent.open()
  expect((await first.stored).offset).toBe(content.length)
  expect((await store.stat(first.upload, options)).offset).toBe(content.length)
  for (const { stored } of others) expect((await stored).offset).toBe(1)
  // Once when it was created, and once when its body had ended.
  expect(written.filter((key) => key === '.tuskit/tails/a')).toHaveLength(2)
})

/** A promise, and what resolves it. */
function gate() {
  let open!: () => void
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open }
}

test('the next part is gathered while as many as possible are on their way', async () => {
  const client = ceph.client()
  const sending = gate()
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName === 'UploadPartCommand') await sending.opened
        return next(args)
      },
    { step: 'initialize' },
  )
  const place = { client, bucket: await ceph.createBucket() }
  const store = new S3Store({ ...place, provider: { minPartSize: partSize }, partSize })
  await store.open()
  const length = 5 * partSize
  const upload = await created(store, uploadIn(store, 'a', length))
  async function* batches() {
    for (let part = 1; part <= 5; part++) {
      // The default of `parallel` is 3.
      if (part === 4) sending.open()
      yield [randomBytes(partSize)]
    }
  }
  const body = { size: length, [Symbol.asyncIterator]: batches } as unknown as UploadBody
  expect(await store.append(upload, { offset: 0 }, body, options)).toMatchObject({ offset: length })
})
