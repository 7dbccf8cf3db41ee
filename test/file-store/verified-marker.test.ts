import { appendFile, mkdir, open, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FileStore } from 'tuskit/file-store'
import { bodyOf, content, forced, namesIn, newDirectory, signal, text } from './stage.js'
import { uploadOf, writing } from './stage.js'

const accepted = async () => true
const refused = async () => false

/** An upload of `abc` that a checksum covers, with a marker at 3. */
async function verified() {
  const directory = await newDirectory()
  const upload = uploadOf('a', { length: 10 })
  const store = new FileStore({ directory })
  await store.create(upload, writing())
  await store.appendVerified(upload, { offset: 0 }, text('abc'), accepted, writing())
  return {
    directory,
    upload,
    store: new FileStore({ directory }),
    data: join(directory, 'a'),
    marker: join(directory, '.a.verified'),
  }
}

describe('a chunk with a checksum that a crash interrupted', () => {
  it('does not count, and a plain chunk replaces it', async () => {
    const { store, upload, data } = await verified()
    await appendFile(data, 'XXXXXXXXXXXX')
    const from = await store.stat(upload, { signal })
    expect(from.offset).toBe(3)
    const options = writing()
    expect((await store.append(upload, from, text('de'), options)).offset).toBe(5)
    expect(options.announced).toEqual([5])
    expect(await readFile(data, 'utf8')).toBe('abcde')
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 5 })
  })

  it('does not count, and another chunk with a checksum replaces it', async () => {
    const { store, upload, data } = await verified()
    await appendFile(data, 'XXXXXX')
    async function* batches() {
      yield [Buffer.from('d')]
      expect(await store.stat(upload, { signal })).toMatchObject({ offset: 3, size: 4 })
    }
    const from = await store.stat(upload, { signal })
    await store.appendVerified(upload, from, bodyOf(batches()), refused, writing())
    expect(await readFile(data, 'utf8')).toBe('abc')
    await appendFile(data, 'XXXXXX')
    const again = await store.stat(upload, { signal })
    await store.appendVerified(upload, again, text('d'), accepted, writing())
    expect(await readFile(data, 'utf8')).toBe('abcd')
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 4 })
  })

  it('is cut off by an empty chunk', async () => {
    const { store, upload, data } = await verified()
    await appendFile(data, 'XXXXXXXXXXXX')
    const from = await store.stat(upload, { signal })
    expect((await store.append(upload, from, text(), writing())).offset).toBe(3)
    expect(await readFile(data, 'utf8')).toBe('abc')
  })

  it('is neither read nor concatenated', async () => {
    const { store, upload, data } = await verified()
    await appendFile(data, 'XXX')
    const finished = { ...upload, length: 3 }
    expect(await content(store, finished)).toBe('abc')
    const final = uploadOf('f', { length: 6 })
    await store.create(final, writing())
    await store.concatenate(final, [finished, finished], writing())
    expect(await content(store, final)).toBe('abcabc')
  })
})

describe('the marker', () => {
  it('exists from before the first unverified byte until the upload is full', async () => {
    const { store, upload, directory, marker } = await verified()
    expect(await namesIn(directory)).toEqual(['.a.verified', 'a'])
    let from = await store.append(upload, { offset: 3 }, text('defg'), writing())
    expect((await stat(marker)).size).toBeGreaterThan(0)
    from = await store.appendVerified(upload, from, text('hij'), refused, writing())
    expect(await namesIn(directory)).toContain('.a.verified')
    from = await store.appendVerified(upload, from, text('hij'), accepted, writing())
    expect(from.offset).toBe(10)
    expect(await namesIn(directory)).toEqual(['a'])
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 10 })
    expect(await content(store, upload)).toBe('abcdefghij')
  })

  it('moves with plain chunks, and disappears with the one that fills the upload', async () => {
    const { store, upload, directory } = await verified()
    const batches = [[Buffer.from('d')], [Buffer.from('ef')], [Buffer.from('ghi')]]
    const options = writing()
    const from = await store.append(upload, { offset: 3 }, bodyOf(batches), options)
    expect(options.announced).toEqual([4, 6, 9])
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 9, marked: true })
    await store.append(upload, from, text('j'), writing())
    expect(await namesIn(directory)).toEqual(['a'])
  })

  it('remains while the length is unknown', async () => {
    const { store, upload, directory } = await verified()
    const { length, ...deferred } = upload
    await store.appendVerified(deferred, { offset: 3 }, text('defghij'), accepted, writing())
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 10 })
    expect(await namesIn(directory)).toContain('.a.verified')
    await store.append(upload, { offset: 10 }, text(), writing())
    expect(await namesIn(directory)).toEqual(['a'])
  })

  it('counts as absent when a crash came during its creation', async () => {
    const { store, upload, marker } = await verified()
    const whole = await readFile(marker)
    for (const end of [0, 1, 31]) {
      await writeFile(marker, whole.subarray(0, end))
      expect(await store.stat(upload, { signal })).toMatchObject({ offset: 3, marked: false })
    }
    const from = await store.append(upload, { offset: 3 }, text('de'), writing())
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 5 })
    await store.appendVerified(upload, from, text('X'), refused, writing())
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 5, marked: true })
  })

  it('keeps its number when the next one is cut off, at any byte', async () => {
    const { store, upload, data, marker } = await verified()
    const before = await readFile(marker)
    await store.append(upload, { offset: 3 }, text('def'), writing())
    const after = await readFile(marker)
    expect(after.length).toBe(64)
    const first = Math.max(
      before.findIndex((byte, i) => byte !== after[i]),
      0,
    )
    for (let end = first; end <= after.length; end++) {
      const torn = Buffer.concat([after.subarray(0, end), before.subarray(end)])
      await writeFile(marker, torn)
      const { offset } = await store.stat(upload, { signal })
      expect(offset).toBe(torn.equals(after) ? 6 : 3)
    }
    expect(await readFile(data, 'utf8')).toBe('abcdef')
  })

  it('moves back before an unverified byte when a power failure took data that it covered', async () => {
    const { store, upload, data } = await verified()
    let from = await store.append(upload, { offset: 3 }, text('def'), writing())
    await truncate(data, 4)
    from = await store.stat(upload, { signal })
    expect(from.offset).toBe(4)
    async function* batches() {
      yield [Buffer.from('XXXXX')]
      expect(await store.stat(upload, { signal })).toMatchObject({ offset: 4, size: 9 })
    }
    await store.appendVerified(upload, from, bodyOf(batches()), refused, writing())
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 4 })
  })
})

describe('a holder that never released the lock', () => {
  /** A body that waits after its first batch, like that of a suspended process. */
  function suspended(first: string, second: string) {
    let resume!: () => void
    const resumed = new Promise<void>((resolve) => (resume = resolve))
    let reach!: () => void
    const reached = new Promise<void>((resolve) => (reach = resolve))
    async function* batches() {
      yield [Buffer.from(first)]
      reach()
      await resumed
      yield [Buffer.from(second)]
    }
    return { body: bodyOf(batches()), reached, resume }
  }

  it.each(['append', 'appendVerified'] as const)(
    'writes to a file that no longer exists (%s)',
    async (method) => {
      const { store, upload, data, directory } = await verified()
      const zombie = suspended('ZZ', 'ZZZZ')
      // Its fence wrongly agrees: the moment between the check and the system call.
      const writes =
        method === 'append'
          ? store.append(upload, { offset: 3 }, zombie.body, writing())
          : store.appendVerified(upload, { offset: 3 }, zombie.body, accepted, writing())
      await zombie.reached
      const from = await store.stat(upload, { signal })
      expect(from.offset).toBe(method === 'append' ? 5 : 3)
      const options = writing({ fence: forced })
      const stored = await store.append(upload, from, text('de'), options)
      zombie.resume()
      // Bytes written to the removed file are not acknowledged.
      await expect(writes).rejects.toMatchObject({ code: 'ERR_DATA_MISSING' })
      const expected = method === 'append' ? 'abcZZde' : 'abcde'
      expect(stored.offset).toBe(expected.length)
      expect(options.announced).toEqual([expected.length])
      expect(await readFile(data, 'utf8')).toBe(expected)
      expect(await store.stat(upload, { signal })).toMatchObject({ offset: expected.length })
      expect(await namesIn(directory)).toEqual(['.a.verified', 'a'])
    },
  )

  it('cannot restore a marker for an upload without one', async () => {
    const directory = await newDirectory()
    const store = new FileStore({ directory })
    const upload = uploadOf('a')
    await store.create(upload, writing())
    const from = await store.append(upload, { offset: 0 }, text('abc'), writing())
    // Opened before the new holder comes, written after that.
    const marker = await open(join(directory, '.a.verified'), 'w')
    const taken = await store.append(upload, from, text('de'), writing({ fence: forced }))
    await marker.close()
    expect(taken.offset).toBe(5)
    expect(await namesIn(directory)).toEqual(['a'])
  })

  it('loses the bytes that it wrote after the next holder had looked', async () => {
    const { store, upload, data } = await verified()
    const from = await store.stat(upload, { signal })
    await appendFile(data, 'ZZZZZ')
    const stored = await store.append(upload, from, text('d'), writing({ fence: forced }))
    expect(stored.offset).toBe(4)
    expect(await readFile(data, 'utf8')).toBe('abcd')
  })

  it('is shut out once, by the first chunk after it', async () => {
    const { store, upload } = await verified()
    const calls: string[] = []
    const fence = { ...forced, shutOut: () => calls.push('shut out') }
    const progress = (offset: number) => calls.push(`announced ${offset}`)
    await store.append(upload, { offset: 3 }, text('d'), writing({ fence, progress }))
    expect(calls).toEqual(['shut out', 'announced 4'])
    const unforced = { ...fence, forced: false }
    await store.append(upload, { offset: 4 }, text('e'), writing({ fence: unforced, progress }))
    expect(calls).toEqual(['shut out', 'announced 4', 'announced 5'])
  })

  it('does not find its half-made replacement', async () => {
    const { store, upload, directory } = await verified()
    await mkdir(join(directory, '.a.tmp'))
    await writeFile(join(directory, '.a.tmp', 'old'), 'ZZZ')
    const from = await store.stat(upload, { signal })
    await store.append(upload, from, text(), writing({ fence: forced }))
    expect(await namesIn(directory)).toEqual(['.a.verified', 'a'])
    await mkdir(join(directory, '.a.tmp'))
    await writeFile(join(directory, '.a.tmp', 'old'), 'ZZZ')
    await store.terminate(upload, writing())
    expect(await namesIn(directory)).toEqual([])
  })
})
