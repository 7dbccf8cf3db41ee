import { once } from 'node:events'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FileStore } from 'tuskit/file-store'
import { openFiles } from '../support/open-files.mjs'
import { newDirectory, signal, text, uploadOf, writing } from './stage.js'

async function stage() {
  const directory = await newDirectory()
  const store = new FileStore({ directory })
  const upload = uploadOf('a', { length: 2 })
  await store.create(upload, writing())
  /** Returns the open files below the directory, as Linux reports them. */
  const open = () => openFiles(directory)
  expect(open()).toEqual([])
  return { store, upload, open }
}

/** The fence of a holder that loses the lock after that many checks. */
const heldFor = (times: number) => {
  let left = times
  return { token: 1, forced: false, held: () => left-- > 0, shutOut: () => {} }
}

describe('a chunk leaves no file open', () => {
  it('once it is stored', async () => {
    const { store, upload, open } = await stage()
    await store.append(upload, { offset: 0 }, text('a'), writing())
    await store.appendVerified(upload, { offset: 1 }, text('b'), async () => true, writing())
    expect(open()).toEqual([])
  })

  it.each(['append', 'appendVerified'] as const)(
    'wherever the lock is lost during %s',
    async (method) => {
      for (let times = 0, code: unknown; code !== 'none'; times++) {
        const { store, upload, open } = await stage()
        const options = writing({ fence: heldFor(times) })
        const done =
          method === 'append'
            ? store.append(upload, { offset: 0 }, text('ab'), options)
            : store.appendVerified(upload, { offset: 0 }, text('ab'), async () => true, options)
        code = await done.then(
          () => 'none',
          (error: { code?: string }) => error.code,
        )
        expect(['none', 'ERR_LOCK_LOST']).toContain(code)
        expect(open(), `held ${times} times`).toEqual([])
      }
    },
  )

  it('when its verification fails', async () => {
    const { store, upload, open } = await stage()
    const failure = new Error('no result')
    const accept = () => Promise.reject(failure)
    const appending = store.appendVerified(upload, { offset: 0 }, text('ab'), accept, writing())
    await expect(appending).rejects.toBe(failure)
    expect(open()).toEqual([])
  })
})

describe('a download leaves no file open', () => {
  async function reading() {
    const { store, upload, open } = await stage()
    await store.append(upload, { offset: 0 }, text('ab'), writing())
    const stream = await store.read(upload, undefined, { signal })
    if (!(stream instanceof Readable)) throw new Error('not a stream')
    onTestFinished(() => void stream.destroy())
    return { stream, open }
  }

  it('when it has been read', async () => {
    const { stream, open } = await reading()
    expect(open()).toHaveLength(1)
    stream.resume()
    await once(stream, 'close')
    expect(open()).toEqual([])
  })

  it.each([undefined, new Error('gone')])(
    'when it is destroyed before its first byte: %s',
    async (error) => {
      const { stream, open } = await reading()
      stream.on('error', () => {}).destroy(error)
      await new Promise((resolve) => stream.once('close', resolve))
      expect(open()).toEqual([])
    },
  )

  it('when it is destroyed during the read', async () => {
    const { stream, open } = await reading()
    stream.read()
    stream.destroy()
    await new Promise((resolve) => stream.once('close', resolve))
    expect(open()).toEqual([])
  })

  it('when its range cannot be satisfied', async () => {
    const { store, upload, open } = await stage()
    await store.append(upload, { offset: 0 }, text('ab'), writing())
    const range = { start: -1, end: 1 }
    await expect(store.read(upload, range, { signal })).rejects.toThrow()
    expect(open()).toEqual([])
  })
})
