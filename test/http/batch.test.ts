import { expect, test } from 'vitest'
import { Batch } from '../../src/http/batch.js'

function fill(...chunks: Buffer[]): { batch: Batch; whole: Buffer } {
  const batch = new Batch()
  for (const chunk of chunks) batch.add(chunk)
  return { batch, whole: Buffer.concat(chunks) }
}

test('a batch returns the chunks that were added, in order', () => {
  const sizes = [1, 4096, 5, 6, 70_000, 4095, 4095, 1, 0, 9000]
  const { batch, whole } = fill(...sizes.map((size, index) => Buffer.alloc(size, index + 65)))
  expect(batch.bytes).toBe(whole.length)
  expect(Buffer.concat(batch.buffers()).equals(whole)).toBe(true)
})

test('large chunks are not copied', () => {
  const chunk = Buffer.alloc(65_536)
  const { batch } = fill(chunk)
  expect(batch.buffers()).toEqual([chunk])
  expect(batch.buffers()[0]).toBe(chunk)
})

test('a million one-byte chunks become few buffers', () => {
  const batch = new Batch()
  for (let i = 0; i < 1_048_576; i++) batch.add(Buffer.from([i & 255]))
  const buffers = batch.buffers()
  expect(buffers.length).toBeLessThanOrEqual(1024)
  const whole = Buffer.concat(buffers)
  expect(whole.length).toBe(1_048_576)
  expect(whole.every((byte, index) => byte === (index & 255))).toBe(true)
})

test('no mix of small and large chunks of one mebibyte makes more than 1,024 buffers', () => {
  const batch = new Batch()
  for (let bytes = 0; bytes < 1_048_576; bytes += 4097) {
    batch.add(Buffer.alloc(1))
    batch.add(Buffer.alloc(4096))
  }
  expect(batch.buffers().length).toBeLessThanOrEqual(1024)
})
