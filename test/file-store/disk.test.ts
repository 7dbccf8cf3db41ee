import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Disk } from '../../src/file-store/disk/disk.js'
import { newDirectory } from './stage.js'

// A real disk cannot be made slow on purpose. Slow steps move this clock instead, which otherwise
// stays the same.
beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const wait = (milliseconds: number) => vi.advanceTimersByTime(milliseconds)

/** Returns a step that blocks the event loop for that long, and records where it ran. */
function slowStep(milliseconds: number) {
  const taken: ('now' | 'later')[] = []
  return {
    taken,
    now() {
      taken.push('now')
      wait(milliseconds)
    },
    async later() {
      taken.push('later')
    },
  }
}

/** Runs a step that many times, and returns where. */
async function take(disk: Disk, times: number, milliseconds = 0) {
  const step = slowStep(milliseconds)
  for (let i = 0; i < times; i++) await disk.take(step)
  return step.taken
}

function fastDisk(): Disk {
  return new Disk()
}

async function slowDisk(): Promise<Disk> {
  const disk = new Disk()
  await take(disk, 1, 60)
  return disk
}

const everywhere = [
  { where: 'in the event loop', place: 'now', diskOf: fastDisk },
  { where: 'in the thread pool', place: 'later', diskOf: slowDisk },
] as const

describe('a step', () => {
  it('runs before the call returns', () => {
    const step = slowStep(0)
    void new Disk().take(step)
    expect(step.taken).toEqual(['now'])
  })

  it('gets the arguments, and the call has its result, in both places', async () => {
    const double = { now: (n: number) => n * 2, later: async (n: number) => n * 2 }
    for (const { diskOf } of everywhere) expect(await (await diskOf()).take(double, 21)).toBe(42)
  })

  it('moves to the thread pool once slow steps have blocked the loop for more than 50 ms', async () => {
    const disk = new Disk()
    expect(await take(disk, 5, 20)).toEqual(['now', 'now', 'now', 'later', 'later'])
    expect(await take(disk, 1)).toEqual(['later'])
  })

  it('runs in the loop again in a later period', async () => {
    const disk = await slowDisk()
    wait(500)
    expect(await take(disk, 1)).toEqual(['later'])
    wait(10_000)
    expect(await take(disk, 5, 20)).toEqual(['now', 'now', 'now', 'later', 'later'])
  })

  it('does not count while it is fast, however often it runs', async () => {
    expect(await take(new Disk(), 400, 0.5)).not.toContain('later')
  })

  it('counts, too, if it is slow and fails', async () => {
    const disk = new Disk()
    const failure = new Error('EIO')
    const now = () => {
      wait(60)
      throw failure
    }
    await expect(disk.take({ now, later: async () => {} })).rejects.toBe(failure)
    expect(await take(disk, 1)).toEqual(['later'])
  })

  it('moves to the thread pool, too, after a single step that is longer than a period', async () => {
    const disk = new Disk()
    expect(await take(disk, 1, 3_000)).toEqual(['now'])
    expect(await take(disk, 1)).toEqual(['later'])
  })
})

describe.each(everywhere)('$where', ({ place, diskOf }) => {
  async function stage() {
    const disk = await diskOf()
    expect(await take(disk, 1)).toEqual([place])
    return { disk, directory: await newDirectory() }
  }

  it('inspects files, and a link itself on request', async () => {
    const { disk, directory } = await stage()
    const path = join(directory, 'a')
    const link = join(directory, 'link')
    await writeFile(path, 'abc')
    await symlink(path, link)
    expect((await disk.stat(path))?.size).toBe(3)
    expect((await disk.stat(link))?.size).toBe(3)
    expect((await disk.lstat(path))?.isFile()).toBe(true)
    expect((await disk.lstat(link))?.isSymbolicLink()).toBe(true)
  })

  it('reports that a file does not exist', async () => {
    const { disk, directory } = await stage()
    await symlink(join(directory, 'nowhere'), join(directory, 'link'))
    for (const path of ['none', 'none/a']) {
      expect(await disk.stat(join(directory, path))).toBeUndefined()
      expect(await disk.lstat(join(directory, path))).toBeUndefined()
    }
    expect(await disk.stat(join(directory, 'link'))).toBeUndefined()
  })

  it('distinguishes a file that it cannot inspect from a missing one', async () => {
    const { disk, directory } = await stage()
    await writeFile(join(directory, 'file'), '')
    const below = join(directory, 'file', 'a')
    await expect(disk.stat(below)).rejects.toMatchObject({ code: 'ENOTDIR' })
    await expect(disk.lstat(below)).rejects.toMatchObject({ code: 'ENOTDIR' })
  })

  it('rejects with the error of the file system', async () => {
    const { disk, directory } = await stage()
    const opening = disk.open(join(directory, 'none'), 'r')
    await expect(opening).rejects.toMatchObject({ code: 'ENOENT' })
    await mkdir(join(directory, 'folder'))
    const folder = await disk.open(join(directory, 'folder'), 'r')
    const reading = folder.read(Buffer.alloc(1), 0, 1, 0)
    await expect(reading).rejects.toMatchObject({ code: 'EISDIR' })
    const writing = folder.write(Buffer.from('a'), 0)
    await expect(writing).rejects.toMatchObject({ code: 'EBADF' })
    await folder.close()
  })

  it('reads and writes, few bytes and many', async () => {
    const { disk, directory } = await stage()
    const file = await disk.open(join(directory, 'a'), 'wx+', 0o600)
    const many = Buffer.alloc(20_000, 'm')
    expect(await file.write(Buffer.from('few'), 0)).toBe(3)
    expect(await file.write(many, 3)).toBe(many.length)
    expect(await file.writev([Buffer.from('one')], 20_003)).toBe(3)
    expect(await file.writev([Buffer.from('a'), Buffer.from('nd two')], 20_006)).toBe(7)
    const stats = await file.stat()
    expect([stats.size, stats.mode & 0o777]).toEqual([20_013, 0o600])
    const all = Buffer.alloc(20_020, '-')
    expect(await file.read(all, 1, 3, 0)).toBe(3)
    expect(await file.read(all, 4, 20_016, 3)).toBe(20_010)
    expect(all.toString()).toBe(`-few${many.toString()}oneand two${'-'.repeat(6)}`)
    await file.truncate(2)
    expect((await file.stat()).size).toBe(2)
    await file.datasync()
    await file.sync()
    await file.close()
  })

  it('appends at the end of the file, even after another process appended', async () => {
    const { disk, directory } = await stage()
    const path = join(directory, 'a')
    const one = await disk.open(path, 'a+')
    const other = await disk.open(path, 'a+')
    await one.write(Buffer.from('1'), null)
    await other.write(Buffer.from('2'), null)
    await one.write(Buffer.from('3'), null)
    const bytes = Buffer.alloc(4)
    expect(await other.read(bytes, 0, 4, 0)).toBe(3)
    expect(bytes.toString('latin1', 0, 3)).toBe('123')
    await one.close()
    await other.close()
  })
})
