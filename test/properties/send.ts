import { createHash } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import { expect } from 'vitest'
import { retrievalOutcome } from './draft-queries.js'
import {
  headOutcome,
  isFinished,
  type Chunk,
  type Model,
  type ModelUpload,
  type Outcome,
} from './model.js'
import { difference, type Reply, type Site } from './site.js'

export const tus = { 'tus-resumable': '1.0.0' }

export function checksumHeaders({ checksum }: Chunk, bytes: Buffer): OutgoingHttpHeaders {
  const digest = (data: Buffer) => createHash('sha1').update(data).digest('base64')
  switch (checksum) {
    case 'none':
      return {}
    case 'right':
      return { 'upload-checksum': `sha1 ${digest(bytes)}` }
    case 'wrong':
      return { 'upload-checksum': `sha1 ${digest(Buffer.concat([bytes, Buffer.from('!')]))}` }
    case 'unknown':
      return { 'upload-checksum': 'rot13 AAAA' }
    case 'malformed':
      return { 'upload-checksum': 'sha1 !' }
  }
}

/**
 * Returns the upload after a response, which must be the expected one. `bytes` are those that were
 * sent.
 */
export function agreed(
  reply: Reply,
  expected: Outcome,
  bytes: Buffer = Buffer.alloc(0),
): ModelUpload | undefined {
  const wrong = difference(reply, expected)
  if (wrong !== undefined) expect.fail(wrong)
  const { upload, mayKeep } = expected
  if (reply === 'cut' || upload === undefined || mayKeep === undefined) return upload
  const kept = Number(reply.headers['upload-offset']) - upload.bytes.length
  expect(kept, 'bytes kept of a body that is too long').toBeGreaterThanOrEqual(0)
  expect(kept, 'bytes kept of a body that is too long').toBeLessThanOrEqual(mayKeep)
  return grown(upload, bytes.subarray(0, kept))
}

export function grown(upload: ModelUpload, bytes: Buffer): ModelUpload {
  return { ...upload, bytes: Buffer.concat([upload.bytes, bytes]) }
}

export function head(site: Site, number: number, { kind }: ModelUpload): Promise<Reply> {
  const headers = kind === 'draft' ? {} : tus
  return site.send(0, { method: 'HEAD', path: site.paths[number]!, headers })
}

/** Sends `HEAD` in the protocol of the upload. */
export function expectedHead(site: Site, upload: ModelUpload): Outcome {
  if (upload.kind === 'draft') return retrievalOutcome(upload, undefined)
  return headOutcome(upload, concatHeader(site, upload))
}

export function concatHeader(site: Site, { kind, parts }: ModelUpload): string | undefined {
  if (kind !== 'final') return kind === 'partial' ? 'partial' : undefined
  return `final;${parts.map((part) => site.paths[part]).join(' ')}`
}

/** Returns the offset in a response; `undefined` when it has none. */
export function offsetOf(reply: Reply): number | undefined {
  const offset = reply === 'cut' ? undefined : reply.headers['upload-offset']
  return offset === undefined ? undefined : Number(offset)
}

/**
 * Waits until the server has received the first `offset` bytes of an upload in progress, or until
 * the patience of the site ends. A draft `HEAD` would end the append, so this asks the store.
 */
export async function untilTaken(
  site: Site,
  number: number,
  upload: ModelUpload,
  offset: number,
): Promise<void> {
  const ask = async () =>
    upload.kind === 'draft' ? site.stored(number) : offsetOf(await head(site, number, upload))
  await until(site, ask, (taken) => taken === offset)
}

async function until(
  site: Site,
  ask: () => Promise<number | undefined>,
  holds: (offset: number | undefined) => boolean,
): Promise<void> {
  for (let looks = 1; ; looks++) {
    const offset = await ask()
    if (holds(offset)) return
    if (looks >= site.patience) expect.fail(`The offset of an upload stays at ${offset}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Takes over the new state of an upload, and waits for the final uploads that this completes. */
export async function adopt(
  model: Model,
  site: Site,
  number: number,
  upload: ModelUpload,
): Promise<void> {
  model.uploads[number] = upload
  for (const final of model.join()) {
    // Concatenation happens after the response. If the result has the wrong length, the comparison
    // finds that.
    const ask = async () => offsetOf(await head(site, final, model.uploads[final]!))
    await until(site, ask, (offset) => offset !== undefined)
  }
}

/** Compares all uploads with the model. */
export async function compare(model: Model, site: Site): Promise<void> {
  for (const [number, upload] of model.uploads.entries()) {
    const wrong = difference(await head(site, number, upload), expectedHead(site, upload))
    if (wrong !== undefined) expect.fail(`In the end, HEAD of upload ${number}: ${wrong}`)
    if (upload.gone || !isFinished(upload)) continue
    const sent = { method: 'GET', path: site.paths[number]!, headers: tus }
    const content = { statuses: [200], headers: {}, body: upload.bytes }
    const differs = difference(await site.send(0, sent), content)
    if (differs !== undefined) expect.fail(`In the end, GET of upload ${number}: ${differs}`)
  }
}
