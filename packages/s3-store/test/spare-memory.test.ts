import { randomBytes } from 'node:crypto'
import type { S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createUpload, patch } from '../../../test/support/serve.js'
import { CephGateway } from '../services.js'
import { SpareMemory } from '../src/data/spare-memory.js'
import { serveS3 } from './serve-s3.js'

const partSize = 65_536

let ceph: CephGateway

beforeAll(async () => {
  ceph = await CephGateway.start({ minPartSize: partSize })
})
afterAll(() => ceph.stop())

/** Uploads parts, one after the other. Returns in how many pieces of memory they were. */
async function memoryOf(client: S3Client, parts: number): Promise<number> {
  const memory = new Set<ArrayBufferLike>()
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const { Body } = args.input as { readonly Body?: Buffer }
        if (commandName === 'UploadPartCommand') memory.add(Body!.buffer)
        return next(args)
      },
    { step: 'initialize' },
  )
  const store = { provider: { minPartSize: partSize }, partSize, parallel: 1 }
  const site = await serveS3({ client, bucket: await ceph.createBucket(), store })
  const content = randomBytes(parts * partSize)
  const url = await createUpload(site, { 'upload-length': String(content.length) })
  expect(await patch(url, 0, content)).toMatchObject({ status: 204 })
  const stored = await fetch(url).then((response) => response.arrayBuffer())
  expect(Buffer.from(stored).equals(content)).toBe(true)
  return memory.size
}

describe('the memory of a part', () => {
  test('holds later parts, when it is stored', async () => {
    expect(await memoryOf(ceph.client(), 8)).toBe(2)
  })

  test('holds no others when it was sent twice: the first attempt may still read it', async () => {
    const client = ceph.client()
    const tried = new Set<object>()
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName !== 'UploadPartCommand' || tried.has(args.input)) return next(args)
          tried.add(args.input)
          throw Object.assign(new Error('The connection broke'), { $retryable: {} })
        },
      { step: 'finalizeRequest', priority: 'low' },
    )
    expect(await memoryOf(client, 8)).toBe(8)
  })

  test('is not kept if it is a piece of more memory', () => {
    const spare = new SpareMemory(10, 1)
    spare.give(Buffer.allocUnsafeSlow(20).subarray(0, 10))
    expect(spare.take(10).buffer.byteLength).toBe(10)
  })
})
