import { createHash, randomFillSync } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Stored bytes differ from those that were sent. */
export class WrongBytes extends Error {}

/** A slice of the content. */
export type Slice = readonly [start: number, end: number]

/** Random bytes, made once. All uploads are slices of them. */
export class Content {
  readonly #bytes: Buffer
  readonly #digests = new Map<string, Buffer>()

  constructor(size: number) {
    this.#bytes = randomFillSync(Buffer.allocUnsafeSlow(size))
  }

  get size(): number {
    return this.#bytes.length
  }

  bytes([start, end]: Slice): Buffer {
    return this.#bytes.subarray(start, end)
  }

  /** Returns the digest of a slice. It is cached, so that it costs nothing during a measurement. */
  digest(slice: Slice, algorithm = 'sha256'): Buffer {
    const key = `${algorithm} ${slice.join('-')}`
    let digest = this.#digests.get(key)
    if (digest === undefined) {
      digest = createHash(algorithm).update(this.bytes(slice)).digest()
      this.#digests.set(key, digest)
    }
    return digest
  }

  /** Fails with {@link WrongBytes} unless a file has the bytes of a slice. */
  async verify(path: string, slice: Slice): Promise<void> {
    this.#compare(path, await digestOf(path), slice)
  }

  /** The same of a stream. */
  async verifyStream(name: string, stream: AsyncIterable<Buffer>, slice: Slice): Promise<void> {
    const hash = createHash('sha256')
    for await (const bytes of stream) hash.update(bytes)
    this.#compare(name, hash.digest(), slice)
  }

  #compare(name: string, found: Buffer, slice: Slice): void {
    if (!found.equals(this.digest(slice))) {
      throw new WrongBytes(`${name} does not have the bytes that were sent`)
    }
  }
}

async function digestOf(path: string): Promise<Buffer> {
  const hash = createHash('sha256')
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const block = Buffer.allocUnsafe(Math.min(size + 1, 1024 * 1024))
    for (;;) {
      const { bytesRead } = await file.read(block, 0, block.length, null)
      if (bytesRead === 0) return hash.digest()
      hash.update(block.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
