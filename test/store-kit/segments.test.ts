import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { segments } from 'tuskit/store-kit'
import { noAbort } from '../support/records.js'
import { bytesOfBuffers, sample, silentBody, watchedBody } from './stage.js'

const { signal } = noAbort

async function collect(generator: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = []
  for await (const segment of generator) all.push(segment)
  return all
}

/** Splits bytes into batches of buffers of these sizes, again and again. */
function* batchesOf(bytes: Buffer, sizes: readonly number[], perBatch: number) {
  let batch: Buffer[] = []
  for (let start = 0, n = 0; start < bytes.length; n++) {
    const end = start + sizes[n % sizes.length]!
    batch.push(bytes.subarray(start, end))
    start = end
    if (batch.length < perBatch) continue
    yield batch
    batch = []
  }
  yield batch
}

describe('segments have the size, and the last one is shorter', () => {
  test.each([
    ['one byte each', 1, [7, 1, 0, 300]],
    ['smaller than the buffers', 100, [4096]],
    ['larger than the buffers', 5_000, [1, 2, 3, 1_000]],
    ['a divisor of the content', 25_000, [999]],
    ['the content', 100_000, [4_096]],
    ['larger than the content', 1_000_000, [4_096]],
  ])('%s', async (_, size, sizes) => {
    const content = sample(100_000)
    for (const declared of [undefined, content.length, content.length + 1, 10]) {
      const { body } = watchedBody(batchesOf(content, sizes, 3), declared)
      const all = await collect(segments(body, { size, signal }))
      expect(all.every(({ length }, n) => length === size || n === all.length - 1)).toBe(true)
      expect(all.at(-1)!.length).toBe(content.length % size || size)
      expect(Buffer.concat(all).equals(content)).toBe(true)
    }
  })

  test('none for an empty body', async () => {
    expect(await collect(segments(watchedBody([]).body, { size: 5, signal }))).toEqual([])
    const { body } = watchedBody([[], [Buffer.alloc(0)]])
    expect(await collect(segments(body, { size: 5, signal }))).toEqual([])
  })
})

test('while one segment is stored, the next one gathers, and no more', async () => {
  const content = sample(100)
  const { body, seen } = watchedBody(batchesOf(content, [1], 1))
  const generator = segments(body, { size: 10, signal })
  await generator.next()
  for (let n = 0; n < 200; n++) await new Promise(setImmediate)
  expect(seen.taken).toBe(20)
  await generator.return()
  await new Promise(setImmediate)
  expect(seen.ended).toBe(true)
})

test('a segment does not change after it was yielded', async () => {
  const content = sample(50_000)
  const { body } = watchedBody(batchesOf(content, [777], 2))
  const all = await collect(segments(body, { size: 1_000, signal }))
  expect(Buffer.concat(all).equals(content)).toBe(true)
})

test('stops waiting for a silent client when the signal aborts', async () => {
  const controller = new AbortController()
  const { body, seen } = silentBody([sample(10)], [sample(3)])
  const generator = segments(body, { size: 10, signal: controller.signal })
  expect((await generator.next()).value).toHaveLength(10)
  const reason = new Error('no longer needed')
  const next = generator.next()
  setImmediate(() => controller.abort(reason))
  await expect(next).rejects.toBe(reason)
  expect(seen.returned).toBe(true)
  expect(getEventListeners(controller.signal, 'abort')).toEqual([])
})

test('yields no segment after the signal has aborted, even one that is complete', async () => {
  const controller = new AbortController()
  const { body } = watchedBody([[sample(20)]])
  const generator = segments(body, { size: 10, signal: controller.signal })
  await generator.next()
  const reason = new Error('no longer needed')
  controller.abort(reason)
  await expect(generator.next()).rejects.toBe(reason)
})

test('a consumer that stops does not wait for a silent client', async () => {
  const { body, seen } = silentBody([sample(10)])
  for await (const segment of segments(body, { size: 10, signal })) {
    expect(segment).toHaveLength(10)
    break
  }
  expect(seen.returned).toBe(true)
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('a body that fails while a segment is stored fails the next segment only', async () => {
  const failure = new Error('the body failed')
  async function* failing() {
    yield [sample(10)]
    throw failure
  }
  const generator = segments(watchedBody(failing()).body, { size: 10, signal })
  expect((await generator.next()).value).toHaveLength(10)
  await new Promise(setImmediate)
  await expect(generator.next()).rejects.toBe(failure)
})

test('an upload needs the memory of two segments, however long it is', async () => {
  const size = 8 * 1024 * 1024
  const piece = sample(65_536)
  async function* long() {
    for (let sent = 0; sent < 40 * size; sent += piece.length) yield [piece]
  }
  let most = 0
  const before = bytesOfBuffers()
  for await (const _ of segments(watchedBody(long()).body, { size, signal })) {
    await new Promise(setImmediate)
    most = Math.max(most, bytesOfBuffers() - before)
  }
  expect(most).toBeLessThan(2.5 * size)
})

test('small bodies do not get the memory of a whole segment', async () => {
  const generators: AsyncGenerator<Buffer>[] = []
  const kept: unknown[] = []
  const before = bytesOfBuffers()
  for (let n = 0; n < 100; n++) {
    const { body } = watchedBody([[sample(100)]], 100)
    const generator = segments(body, { size: 64 * 1024 * 1024, signal })
    generators.push(generator)
    kept.push((await generator.next()).value)
  }
  expect(bytesOfBuffers() - before).toBeLessThan(1024 * 1024)
  expect(kept).toHaveLength(generators.length)
})

test('tiny segments of a large batch take linear time', async () => {
  const buffers = Array.from({ length: 100_000 }, () => Buffer.from('ab'))
  let count = 0
  for await (const _ of segments(watchedBody([buffers]).body, { size: 1, signal })) count++
  expect(count).toBe(200_000)
})

test('options are checked at the call', () => {
  const { body } = watchedBody([])
  const wrong = (options: object) => () => segments(body, options as never)
  expect(wrong({ size: 0, signal })).toThrow("segments: option 'size' must be a whole number")
  expect(wrong({ size: 5 })).toThrow("segments: option 'signal' must be an AbortSignal")
  expect(wrong({ size: 5, signal, sise: 5 })).toThrow("there is no option 'sise'")
})
