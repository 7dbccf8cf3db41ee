import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { TusError } from 'tuskit'
import { FileStore } from 'tuskit/file-store'
import { contentStream } from 'tuskit/store-kit'
import { newDirectory, signal, text, uploadOf, writing } from '../file-store/stage.js'
import { bytesOfBuffers, closed, sample, watched } from './stage.js'

/** A source of these pieces that counts what is taken. */
function sourceOf(source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
  const { items: pieces, seen } = watched(source)
  return { pieces, seen }
}

const content = sample(100_000)

function* piecesOf(bytes: Buffer, size: number) {
  for (let start = 0; start < bytes.length; start += size) {
    yield bytes.subarray(start, start + size)
  }
}

/** A source that hangs after the first pieces, and does not end when it is asked to. */
function hanging(...first: readonly Buffer[]) {
  const left = [...first]
  const seen = { returned: false }
  const iterator: AsyncIterator<Uint8Array> = {
    next: async () => {
      const value = left.shift()
      return value === undefined ? new Promise(() => {}) : { done: false, value }
    },
    return: () => {
      seen.returned = true
      return new Promise(() => {})
    },
  }
  return { pieces: { [Symbol.asyncIterator]: () => iterator }, seen }
}

describe('has exactly the size', () => {
  test.each([1, 999, 65_536, 100_000, 200_000])('of pieces of %i bytes', async (size) => {
    const close = vi.fn()
    const { pieces } = sourceOf(piecesOf(content, size))
    const stream = contentStream(pieces, { size: content.length, close })
    expect((await buffer(stream)).equals(content)).toBe(true)
    await closed(stream)
    expect(close).toHaveBeenCalledTimes(1)
  })

  test('when the source has more, which is ended', async () => {
    const close = vi.fn()
    const { pieces, seen } = sourceOf(piecesOf(content, 1_000))
    const stream = contentStream(pieces, { size: 12_345, close })
    expect((await buffer(stream)).equals(content.subarray(0, 12_345))).toBe(true)
    await closed(stream)
    expect(seen).toEqual({ taken: 13, ended: true })
    expect(close).toHaveBeenCalledTimes(1)
  })

  test('when some pieces are empty, or no Buffer', async () => {
    const empty = Buffer.alloc(0)
    const { pieces } = sourceOf([empty, new Uint8Array([1, 2]), empty, empty, new Uint8Array([3])])
    expect([...(await buffer(contentStream(pieces, { size: 3 })))]).toEqual([1, 2, 3])
  })

  test('when it is 0, without reading', async () => {
    const close = vi.fn()
    const { pieces, seen } = sourceOf([content])
    const stream = contentStream(pieces, { size: 0, close })
    expect(await buffer(stream)).toHaveLength(0)
    await closed(stream)
    expect(seen.taken).toBe(0)
    expect(close).toHaveBeenCalledTimes(1)
  })
})

describe('fails with ERR_STORAGE_UNAVAILABLE', () => {
  test('when the source ends early', async () => {
    const close = vi.fn()
    const { pieces } = sourceOf(piecesOf(content, 1_000))
    const stream = contentStream(pieces, { size: content.length + 1, close })
    await expect(buffer(stream)).rejects.toMatchObject({
      code: 'ERR_STORAGE_UNAVAILABLE',
      cause: new Error('The content ended 1 bytes early'),
    })
    expect(close).toHaveBeenCalledTimes(1)
  })

  test('when the source fails', async () => {
    const close = vi.fn()
    const cause = new Error('the connection was reset')
    async function* failing() {
      yield content
      throw cause
    }
    const stream = contentStream(failing(), { size: 2 * content.length, close })
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE', cause })
    expect(close).toHaveBeenCalledTimes(1)
  })

  test('unless the source throws a TusError', async () => {
    const { pieces } = sourceOf({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new TusError('ERR_DATA_MISSING')),
      }),
    })
    const stream = contentStream(pieces, { size: 5 })
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' })
  })

  test('and does not end a source that has failed', async () => {
    const ended = vi.fn(async () => ({ done: true, value: undefined }) as const)
    const iterator = { next: () => Promise.reject(new Error('failed')), return: ended }
    const pieces = { [Symbol.asyncIterator]: () => iterator }
    expect(await closed(contentStream(pieces, { size: 5 }).resume())).toMatchObject({
      code: 'ERR_STORAGE_UNAVAILABLE',
    })
    expect(ended).not.toHaveBeenCalled()
  })

  test('even when the source cannot be closed', async () => {
    const { pieces } = sourceOf([])
    const stream = contentStream(pieces, { size: 5, close: () => new Promise(() => {}) })
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  })
})

test('reads at most one piece ahead of the reader', async () => {
  const { pieces, seen } = sourceOf(piecesOf(content, 1_000))
  const stream = contentStream(pieces, { size: content.length })
  await once(stream, 'readable')
  for (let read = 0; read < 10; read++) {
    for (let n = 0; n < 20; n++) await new Promise(setImmediate)
    expect(seen.taken).toBeLessThanOrEqual(read + 1)
    expect(stream.read()).toHaveLength(1_000)
  }
  stream.destroy()
})

test('needs the memory of two pieces, however long the content is', async () => {
  const size = 4 * 1024 * 1024
  async function* long() {
    for (let n = 0; n < 50; n++) yield Buffer.alloc(size)
  }
  const before = bytesOfBuffers()
  let most = 0
  const sink = new Writable({
    write(_chunk, _encoding, done) {
      setImmediate(() => {
        most = Math.max(most, bytesOfBuffers() - before)
        done()
      })
    },
  })
  await pipeline(contentStream(long(), { size: 50 * size }), sink)
  expect(most).toBeLessThan(3.5 * size)
})

describe('destroying it', () => {
  test('before the first read closes the source', async () => {
    const close = vi.fn()
    const { pieces } = sourceOf([content])
    const stream = contentStream(pieces, { size: content.length, close })
    stream.destroy()
    expect(await closed(stream)).toBeUndefined()
    expect(close).toHaveBeenCalledTimes(1)
  })

  test('ends the source, and waits for `close`', async () => {
    const steps: string[] = []
    const { pieces, seen } = sourceOf(piecesOf(content, 1_000))
    const close = async () => {
      await new Promise(setImmediate)
      steps.push('closed')
    }
    const stream = contentStream(pieces, { size: content.length, close })
    stream.on('close', () => steps.push('close event'))
    await once(stream, 'readable')
    stream.destroy()
    await closed(stream)
    expect(steps).toEqual(['closed', 'close event'])
    expect(seen.ended).toBe(true)
  })

  test('closes a source that hangs, at once and exactly once', async () => {
    const { pieces, seen } = hanging(content)
    const close = vi.fn()
    const stream = contentStream(pieces, { size: 2 * content.length, close })
    stream.resume()
    await once(stream, 'data')
    stream.destroy()
    stream.destroy(new Error('again'))
    await closed(stream)
    expect(close).toHaveBeenCalledTimes(1)
    expect(seen.returned).toBe(true)
  })

  test('lets `close` wait for a read in progress', async () => {
    const steps: string[] = []
    let finish!: () => void
    const reading = new Promise<void>((resolve) => (finish = resolve))
    async function* source() {
      steps.push('reading')
      await reading
      steps.push('read')
      yield content
    }
    const close = async (idle: Promise<void>) => {
      await idle
      steps.push('closed')
    }
    const stream = contentStream(source(), { size: content.length, close })
    stream.read()
    await vi.waitFor(() => expect(steps).toEqual(['reading']))
    stream.destroy()
    steps.push('destroyed')
    finish()
    await closed(stream)
    expect(steps).toEqual(['reading', 'destroyed', 'read', 'closed'])
  })

  test('with an error does not wait for `close`', async () => {
    const { pieces } = hanging()
    const stream = contentStream(pieces, { size: 5, close: () => new Promise(() => {}) })
    const failure = new Error('no longer needed')
    stream.destroy(failure)
    expect(await closed(stream)).toBe(failure)
  })
})

test('a failure of `close` or of ending the source harms nothing', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  onTestFinished(() => void process.off('unhandledRejection', unhandled))
  const iterator = {
    next: async () => ({ done: false, value: content }) as const,
    return: () => Promise.reject(new Error('cannot be ended')),
  }
  const close = () => {
    throw new Error('cannot be closed')
  }
  const pieces = { [Symbol.asyncIterator]: () => iterator }
  const stream = contentStream(pieces, { size: content.length, close })
  expect((await buffer(stream)).equals(content)).toBe(true)
  expect(await closed(stream)).toBeUndefined()
  await new Promise(setImmediate)
  expect(unhandled).not.toHaveBeenCalled()
})

test('a stream can be the source', async () => {
  const source = new Readable({ read() {} })
  source.push(content)
  const close = () => source.destroy()
  const stream = contentStream(source, { size: 2 * content.length, close })
  stream.resume()
  await once(stream, 'data')
  stream.destroy()
  expect(await closed(stream)).toBeUndefined()
  await vi.waitFor(() => expect(source.destroyed).toBe(true))
})

describe('a stream as the source', () => {
  /** Counts errors that nobody handles: they would end the process. */
  function uncaught() {
    const seen = vi.fn()
    process.on('uncaughtException', seen)
    onTestFinished(() => void process.off('uncaughtException', seen))
    return seen
  }

  test('may fail before the first read', async () => {
    const seen = uncaught()
    const source = new Readable({ read() {} })
    const stream = contentStream(source, { size: 5 })
    const cause = new Error('the connection was reset')
    source.destroy(cause)
    await new Promise(setImmediate)
    expect(await closed(stream.resume())).toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE', cause })
    expect(seen).not.toHaveBeenCalled()
  })

  test('may fail while it is destroyed', async () => {
    const seen = uncaught()
    const source = new Readable({
      read() {},
      destroy: (_, done) => done(new Error('the connection cannot be closed')),
    })
    const stream = contentStream(source, { size: 5, close: () => source.destroy() })
    stream.destroy()
    expect(await closed(stream)).toBeUndefined()
    await vi.waitFor(() => expect(source.closed).toBe(true))
    expect(seen).not.toHaveBeenCalled()
  })

  test.each([0, 5])('is destroyed without `close`, with %i bytes', async (size) => {
    const source = new Readable({ read() {} })
    const stream = contentStream(source, { size })
    if (size === 0) stream.resume()
    else stream.destroy()
    expect(await closed(stream)).toBeUndefined()
    expect(source.destroyed).toBe(true)
  })

  test('is destroyed without `close` even when a read hangs', async () => {
    const source = new Readable({ read() {} })
    const stream = contentStream(source, { size: 5 })
    stream.read()
    stream.destroy()
    expect(await closed(stream)).toBeUndefined()
    expect(source.destroyed).toBe(true)
  })
})

test('a source that was never read is ended', async () => {
  const ended = vi.fn(async () => ({ done: true, value: undefined }) as const)
  const iterator = { next: async () => ({ done: false, value: content }) as const, return: ended }
  const stream = contentStream({ [Symbol.asyncIterator]: () => iterator }, { size: 0 })
  await closed(stream.resume())
  expect(ended).toHaveBeenCalledTimes(1)
})

test.each([
  ['returns no promise', () => ({ done: true, value: undefined })],
  [
    'throws at once',
    () => {
      throw new Error('cannot be ended')
    },
  ],
])('a source whose `return` %s does not replace the error', async (_, end) => {
  const iterator = { next: async () => ({ done: false, value: content }) as const, return: end }
  const pieces = { [Symbol.asyncIterator]: () => iterator as never }
  const close = vi.fn()
  const stream = contentStream(pieces, { size: 2 * content.length, close })
  await once(stream, 'readable')
  const failure = new Error('no longer needed')
  stream.destroy(failure)
  expect(await closed(stream)).toBe(failure)
  expect(close).toHaveBeenCalledTimes(1)
})

test('a stream that breaks off does not look complete', async () => {
  const source = new Readable({ read() {} })
  source.push(content)
  const stream = contentStream(source, { size: 2 * content.length, close: () => source.destroy() })
  stream.on('data', () => source.destroy())
  const failure = await closed(stream)
  expect(failure).toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
})

test('a file of FileStore that shrinks while it is read makes the read fail', async () => {
  const directory = await newDirectory()
  const store = new FileStore({ directory })
  const upload = uploadOf('a', { length: 300_000 })
  await store.create(upload, writing())
  await store.append(upload, { offset: 0 }, text('x'.repeat(300_000)), writing())
  const stream = (await store.read(upload, undefined, { signal })) as Readable
  await once(stream, 'readable')
  const file = await open(join(directory, 'a'), 'r+')
  await file.truncate(100_000)
  await file.close()
  await expect(buffer(stream)).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
})

test('options are checked', () => {
  const { pieces } = sourceOf([])
  const wrong = (options: object) => () => contentStream(pieces, options as never)
  expect(wrong({})).toThrow("contentStream: option 'size' must be a whole number")
  expect(wrong({ size: 5, close: 1 })).toThrow("option 'close' must be a function")
})
