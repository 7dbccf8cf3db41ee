import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Upload, UploadBody } from 'tuskit'

/** Returns a new id that shows that a check has made the upload. */
export function newCheckId(): string {
  return `check-${randomBytes(12).toString('hex')}`
}

/** Returns the record of an upload for a check, without a place. */
export function testUpload(length: number): Omit<Upload, 'storage'> {
  const filename = 'check.txt'
  return {
    id: newCheckId(),
    revision: 1,
    protocol: 'tus',
    length,
    metadata: {
      raw: `filename ${Buffer.from(filename).toString('base64')}`,
      values: { filename },
    },
    createdAt: new Date().toISOString(),
    finish: 'implied',
    state: { kind: 'open' },
  }
}

/** Returns a body with these bytes. */
export function bodyOf(bytes: Buffer): UploadBody {
  return {
    size: bytes.length,
    async *[Symbol.asyncIterator]() {
      yield await Promise.resolve([bytes])
    },
    readable: () => Readable.from([bytes]),
  }
}
