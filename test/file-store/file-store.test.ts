import { statSync } from 'node:fs'
import { readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { StoreComposer } from 'tuskit'
import { FileStore, type FileStoreOptions } from 'tuskit/file-store'
import { bodyOf, content, namesIn, newDirectory, signal, text, uploadOf, writing } from './stage.js'

async function newStore(options: Partial<FileStoreOptions> = {}) {
  const directory = await newDirectory()
  return { directory, store: new FileStore({ directory, ...options }) }
}

async function created(id: string, data = '', options: Partial<FileStoreOptions> = {}) {
  const { directory, store } = await newStore(options)
  const upload = uploadOf(id)
  await store.create(upload, writing())
  await store.append(upload, { offset: 0 }, text(data), writing())
  return { directory, store, upload }
}

describe('FileStore', () => {
  it('fills five slots and checks its options', async () => {
    const { store, directory } = await newStore()
    const composer = new StoreComposer().use(store)
    expect(composer.slots()).toEqual({
      dataStore: store,
      verifiedAppender: store,
      terminator: store,
      concatenator: store,
      contentReader: store,
    })
    expect(store.maxSize).toBe(Infinity)
    expect(() => new FileStore({ directory: '' })).toThrow("option 'directory' must be")
    expect(() => new FileStore({ directory, locate: 'flat' })).toThrow('contains "{id}"')
    expect(() => new FileStore({ directory, locate: '{yaer}/{id}' })).toThrow('{yaer}')
    expect(() => new FileStore({ directory, durability: 'ssd' as 'os' })).toThrow("'os', 'disk'")
    expect(() => new FileStore({ directory, folder: '' } as FileStoreOptions)).toThrow('folder')
    expect(() => new FileStore({ dir: directory } as unknown as FileStoreOptions)).toThrow(
      "FileStore: there is no option 'dir'; did you mean 'directory'?",
    )
  })

  it.each([
    // Decimal, as if the prefix 0o were implied.
    ...[600, 640, 644, 664, 666],
    ...[0o400, 0o1600, 0o10000, -1, 6.5],
  ])('refuses %s as the mode of files', async (filePermissions) => {
    const { directory } = await newStore()
    expect(() => new FileStore({ directory, filePermissions })).toThrow(
      "option 'filePermissions' must be a file mode such as 0o640 that lets the owner read and write",
    )
  })

  it.each([700, 750, 755, 770, 775, 777, 0o600, 0o1777])(
    'refuses %s as the mode of directories',
    async (directoryPermissions) => {
      const { directory } = await newStore()
      expect(() => new FileStore({ directory, directoryPermissions })).toThrow(
        "option 'directoryPermissions' must be a directory mode such as 0o750 that lets the owner",
      )
    },
  )

  describe('locate', () => {
    it('uses the id, a template, a function, or the requested place', async () => {
      const { store, directory } = await newStore()
      const { storage, ...unplaced } = uploadOf('a.b')
      expect(store.locate(unplaced)).toEqual({ kind: 'file', at: { path: 'a.b' } })
      const locate = '{year}/{month}/{day}/{hour}-{minute}/{id}'
      const dated = new FileStore({ directory, locate })
      expect(dated.locate(unplaced).at.path).toBe('2026/03/04/05-06/a.b')
      const chosen = new FileStore({ directory, locate: ({ id }) => `x/${id}/data` })
      expect(chosen.locate(unplaced).at.path).toBe('x/a.b/data')
      const place = { path: 'films/My film (1).mkv' }
      expect(chosen.locate({ ...unplaced, place }).at).toEqual(place)
    })

    it.each([
      '',
      '..',
      '../a',
      'a/../../b',
      'a/./b',
      '/etc/passwd',
      'a//b',
      'a/',
      'a\0b',
      'a\\..\\b',
      '.a.verified',
      '.hidden/a',
      `${'é'.repeat(121)}`,
    ])('refuses %j', async (path) => {
      const { store } = await newStore()
      const { storage, ...unplaced } = uploadOf('a')
      expect(() => store.locate({ ...unplaced, place: { path } })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_PLACE' }),
      )
      const upload = uploadOf('a', { storage: { kind: 'file', at: { path } } })
      await expect(store.stat(upload, { signal })).rejects.toMatchObject({
        code: 'ERR_INVALID_PLACE',
      })
    })

    it.each<Record<string, string>>([{}, { key: 'a' }, { path: 'a', key: 'a' }])(
      'refuses a place that is not just a path: %o',
      async (place) => {
        const { store } = await newStore()
        const { storage, ...unplaced } = uploadOf('a')
        expect(() => store.locate({ ...unplaced, place })).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_PLACE' }),
        )
      },
    )
  })

  describe.each(['os', 'disk'] as const)('with durability %s', (durability) => {
    it('creates an empty file, with the missing folders', async () => {
      const root = await newDirectory()
      const directory = join(root, 'new', 'uploads')
      const store = new FileStore({ directory, durability })
      const upload = uploadOf('a', { storage: { kind: 'file', at: { path: 'x/y/a' } } })
      await store.create(upload, writing())
      expect((await stat(join(directory, 'x/y/a'))).size).toBe(0)
      expect(await store.stat(upload, { signal })).toMatchObject({ offset: 0 })
      await expect(store.create(upload, writing())).rejects.toMatchObject({
        code: 'ERR_DATA_EXISTS',
      })
    })

    it('removes the file and its marker, and can repeat that', async () => {
      const { store, upload, directory } = await created('a', 'ab', { durability })
      await store.appendVerified(upload, { offset: 2 }, text('c'), async () => true, writing())
      expect(await namesIn(directory)).toEqual(['.a.verified', 'a'])
      await store.terminate(upload, writing())
      await store.terminate(upload, writing())
      expect(await namesIn(directory)).toEqual([])
      await expect(store.stat(upload, { signal })).rejects.toMatchObject({
        code: 'ERR_DATA_MISSING',
      })
    })
  })

  it('gives files and folders the permissions of the options', async () => {
    const options = { filePermissions: 0o600, directoryPermissions: 0o700, locate: 'x/{id}' }
    const { store, directory } = await newStore(options)
    const { storage, ...unplaced } = uploadOf('a')
    const upload = { ...unplaced, storage: store.locate(unplaced) }
    await store.create(upload, writing())
    expect((await stat(join(directory, 'x'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(directory, 'x/a'))).mode & 0o777).toBe(0o600)
  })

  it('finds all data after the directory has moved, in another process', async () => {
    const { directory, upload } = await created('a', 'ab')
    const moved = join(await newDirectory(), 'moved')
    await rename(directory, moved)
    const store = new FileStore({ directory: moved })
    expect(await store.stat(upload, { signal })).toMatchObject({ offset: 2 })
  })

  it('distinguishes missing data from an offset that it cannot determine', async () => {
    const { store, directory } = await newStore()
    const missing = { code: 'ERR_DATA_MISSING' }
    const upload = uploadOf('a')
    await expect(store.stat(upload, { signal })).rejects.toMatchObject(missing)
    await expect(store.read(upload, undefined, { signal })).rejects.toMatchObject(missing)
    const appending = store.append(upload, { offset: 0 }, text('a'), writing())
    await expect(appending).rejects.toMatchObject(missing)
    await writeFile(join(directory, 'a'), '')
    const below = uploadOf('b', { storage: { kind: 'file', at: { path: 'a/b' } } })
    await expect(store.stat(below, { signal })).rejects.toMatchObject({
      code: 'ERR_STORAGE_UNAVAILABLE',
      cause: { code: 'ENOTDIR' },
    })
  })

  it('does not follow a link', async () => {
    const { store, directory } = await newStore()
    const outside = join(await newDirectory(), 'outside')
    await writeFile(outside, 'secret')
    await symlink(outside, join(directory, 'a'))
    const upload = uploadOf('a')
    const unavailable = { code: 'ERR_STORAGE_UNAVAILABLE' }
    await expect(store.stat(upload, { signal })).rejects.toMatchObject(unavailable)
    const reading = store.read(upload, undefined, { signal })
    await expect(reading).rejects.toMatchObject(unavailable)
    const from = { offset: 6, size: 6, marked: false }
    await expect(store.append(upload, from, text('x'), writing())).rejects.toThrow()
    await expect(store.create(upload, writing())).rejects.toMatchObject({ code: 'ERR_DATA_EXISTS' })
    expect(await readFile(outside, 'utf8')).toBe('secret')
  })

  it('refuses an offset other than the stored one', async () => {
    const { store, upload } = await created('a', 'abc')
    const appending = store.append(upload, { offset: 1 }, text('x'), writing())
    await expect(appending).rejects.toMatchObject({ code: 'ERR_OFFSET_MISMATCH' })
    expect(await content(store, upload)).toBe('abc')
  })

  it('never overwrites bytes that another instance has appended since the creation', async () => {
    const { store, directory } = await newStore()
    const upload = uploadOf('a', { length: 11 })
    await store.create(upload, writing())
    const other = new FileStore({ directory })
    await other.append({ ...upload }, { offset: 0 }, text('hello'), writing())
    await store.append(upload, { offset: 5 }, text(' world'), writing())
    expect(await content(store, upload)).toBe('hello world')
  })

  it.each(['append', 'appendVerified'] as const)(
    '%s rejects with the reason of its signal while no byte comes',
    async (method) => {
      const { store, upload } = await created('a', 'ab')
      const controller = new AbortController()
      const reason = new Error('taken away')
      async function* batches() {
        yield [Buffer.from('c')]
        controller.abort(reason)
        await new Promise(() => {})
      }
      const options = writing({ signal: controller.signal })
      const body = bodyOf(batches())
      const done =
        method === 'append'
          ? store.append(upload, { offset: 2 }, body, options)
          : store.appendVerified(upload, { offset: 2 }, body, async () => true, options)
      await expect(done).rejects.toBe(reason)
      const counted = method === 'append' ? 3 : 2
      expect(await store.stat(upload, { signal })).toMatchObject({ offset: counted })
    },
  )

  it('changes nothing once the lock is lost or the signal has aborted', async () => {
    const { store, upload, directory } = await created('a', 'ab')
    await store.appendVerified(upload, { offset: 2 }, text('c'), async () => true, writing())
    const before = await namesIn(directory)
    const other = uploadOf('other')
    const lost = { fence: { token: 1, forced: true, held: () => false, shutOut: () => {} } }
    const reason = new Error('taken away')
    for (const [fields, error] of [
      [lost, expect.objectContaining({ code: 'ERR_LOCK_LOST' })],
      [{ signal: AbortSignal.abort(reason) }, reason],
    ] as const) {
      const options = writing(fields)
      const from = { offset: 3 }
      await expect(store.create(other, options)).rejects.toEqual(error)
      await expect(store.append(upload, from, text('d'), options)).rejects.toEqual(error)
      const accept = async () => true
      const verified = store.appendVerified(upload, from, text('d'), accept, options)
      await expect(verified).rejects.toEqual(error)
      await expect(store.terminate(upload, options)).rejects.toEqual(error)
      await expect(store.concatenate(upload, [upload], options)).rejects.toEqual(error)
      expect(options.announced).toEqual([])
    }
    expect(await namesIn(directory)).toEqual(before)
    expect(await content(store, upload)).toBe('abc')
  })

  it('reports no offset when it lost the lock during the write', async () => {
    const { store, upload, directory } = await created('a')
    const held = () => statSync(join(directory, 'a')).size === 0
    const options = writing({ fence: { token: 1, forced: false, held, shutOut: () => {} } })
    const appending = store.append(upload, { offset: 0 }, text('ab'), options)
    await expect(appending).rejects.toMatchObject({ code: 'ERR_LOCK_LOST' })
    expect(options.announced).toEqual([])
  })

  it('leaves the final upload unchanged when a part is missing or too short', async () => {
    const { store, upload, directory } = await created('a', 'abc')
    const final = uploadOf('f')
    await store.create(final, writing())
    for (const partials of [[uploadOf('b', { length: 1 })], [{ ...upload, length: 4 }]]) {
      await expect(store.concatenate(final, partials, writing())).rejects.toMatchObject({
        code: 'ERR_DATA_MISSING',
      })
    }
    expect((await store.stat(final, { signal })).offset).toBe(0)
    expect(await namesIn(directory)).toEqual(['a', 'f'])
  })

  it('stops a concatenation in the middle, and starts from zero after that', async () => {
    const { store, directory } = await newStore()
    const part = uploadOf('p', { length: 3_000_000 })
    await store.create(part, writing())
    await store.append(part, { offset: 0 }, bodyOf([[Buffer.alloc(3_000_000)]]), writing())
    const final = uploadOf('f')
    await store.create(final, writing())
    let left = 6
    const fence = { token: 1, forced: false, held: () => left-- > 0, shutOut: () => {} }
    await expect(store.concatenate(final, [part], writing({ fence }))).rejects.toMatchObject({
      code: 'ERR_LOCK_LOST',
    })
    expect((await store.stat(final, { signal })).offset).toBe(0)
    expect(await namesIn(directory)).toContain('.f.tmp')
    await store.concatenate(final, [part], writing())
    expect((await store.stat(final, { signal })).offset).toBe(3_000_000)
    expect(await namesIn(directory)).toEqual(['f', 'p'])
  })
})
