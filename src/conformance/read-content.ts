import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import type { ByteRange, ContentReader } from '../capabilities/content-reader.js'
import type { Upload } from '../upload.js'
import { never } from './gate.js'

/** The bytes that a reader gives, or that are found where it redirects to. */
export async function readContent(
  reader: ContentReader,
  upload: Upload,
  range?: ByteRange,
  signal = never,
): Promise<Readable> {
  const content = await reader.read(upload, range, { signal })
  if (!('redirect' in content)) return content
  const headers = range && { range: `bytes=${range.start}-${range.end}` }
  const response = await fetch(content.redirect, headers && { headers })
  assert.ok(response.ok, `The redirect should lead to the bytes, and answers ${response.status}`)
  return Readable.from((response.body ?? []) as AsyncIterable<Uint8Array>, { objectMode: false })
}

/** Asserts equality without printing megabytes. */
export function assertSame(found: Buffer, expected: Buffer): void {
  assert.equal(found.length, expected.length, 'As many bytes are read as were sent')
  const at = found.findIndex((byte, i) => byte !== expected[i])
  assert.equal(at, -1, `The byte at ${at} is the one that was sent`)
}
