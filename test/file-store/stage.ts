import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll } from 'vitest'
import type { AppendOptions, ContentReader, Upload, UploadBody } from 'tuskit'

export const { signal } = new AbortController()

const directories: string[] = []

afterAll(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true })
})

/** A new directory that is removed after the tests of the file. */
export async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'tuskit-file-store-'))
  directories.push(directory)
  return directory
}

export { namesIn } from '../support/serve.js'

export function uploadOf(id: string, fields: Partial<Upload> = {}): Upload {
  return {
    id,
    revision: 1,
    protocol: 'tus',
    metadata: { raw: '', values: {} },
    storage: { kind: 'file', at: { path: id } },
    createdAt: '2026-03-04T05:06:07.000Z',
    finish: 'implied',
    state: { kind: 'open' },
    ...fields,
  }
}

/** Options of an operation under a lock, and the offsets that it reported. */
export function writing(fields: Partial<AppendOptions> = {}) {
  const announced: number[] = []
  return {
    signal,
    fence: { token: 1, forced: false, held: () => true, shutOut: () => {} },
    saveSecret: async () => {},
    progress: (offset: number) => announced.push(offset),
    incoming: 'some' as const,
    announced,
    ...fields,
  }
}

/** The fence of a holder whose predecessor never released the lock. */
export const forced = { token: 2, forced: true, held: () => true, shutOut: () => {} }

export function bodyOf(batches: Iterable<Buffer[]> | AsyncIterable<Buffer[]>): UploadBody {
  return {
    size: undefined,
    async *[Symbol.asyncIterator]() {
      yield* batches
    },
    readable: () => Readable.from(batches),
  }
}

/** A body of one batch. */
export const text = (...chunks: string[]) => bodyOf([chunks.map((chunk) => Buffer.from(chunk))])

export async function content(store: ContentReader, upload: Upload): Promise<string> {
  const stream = await store.read(upload, undefined, { signal })
  if (!(stream instanceof Readable)) throw new Error('not a stream')
  return (await buffer(stream)).toString()
}
