import { open, readFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { writeFully } from '../../src/file-store/disk/write-fully.js'
import { newDirectory } from './stage.js'

/**
 * A fault that a real file shows only when its disk fills up: each write accepts only a few bytes.
 */
class ShortWriter {
  readonly #file: FileHandle
  readonly #most: number

  constructor(file: FileHandle, most: number) {
    this.#file = file
    this.#most = most
  }

  async writev(buffers: readonly Buffer[], position: number) {
    const taken = Buffer.concat(buffers).subarray(0, this.#most)
    return (await this.#file.write(taken, { position })).bytesWritten
  }
}

it.each([1, 2, 3, 5, 100])('writeFully continues after writes of %i bytes', async (most) => {
  const path = join(await newDirectory(), 'a')
  const file = await open(path, 'w')
  const parts = ['a', '', 'bcd', 'efghi', 'j'].map((part) => Buffer.from(part))
  try {
    expect(await writeFully(new ShortWriter(file, most), parts, 2)).toBe(10)
  } finally {
    await file.close()
  }
  expect(await readFile(path, 'utf8')).toBe('\0\0abcdefghij')
})
