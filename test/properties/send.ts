import { createHash } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import { expect } from 'vitest'
import {
  headOutcome,
  isFull,
  type Chunk,
  type Model,
  type ModelUpload,
  type Outcome,
  type PatchRequest,
} from './model.js'
import { difference, type Reply, type Sent, type Site } from './site.js'

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

/** A PATCH as it goes over the wire, and what it claims. */
export interface PreparedPatch {
  readonly request: PatchRequest
  readonly sent: Sent
  readonly offset: number
  readonly length: number | undefined
  readonly bytes: Buffer
}

export function preparePatch(
  model: Model,
  site: Site,
  number: number,
  request: PatchRequest,
): PreparedPatch {
  const { chunk, flaw } = request
  const upload = model.uploads[number]!
  const missing = (upload.length ?? NaN) - upload.bytes.length
  const bytes = model.fill(request.fills && missing >= 0 ? missing : chunk.size)
  const offset = Math.max(0, upload.bytes.length + request.shift)
  const length =
    request.declares === undefined
      ? undefined
      : Math.max(0, offset + bytes.length + request.declares)
  const headers = {
    'tus-resumable': flaw === 'version' ? '0.2.2' : '1.0.0',
    'content-type': flaw === 'type' ? 'text/plain' : 'application/offset+octet-stream',
    'upload-offset': flaw === 'offset' ? '0x0' : String(offset),
    ...(length !== undefined && { 'upload-length': String(length) }),
    ...checksumHeaders(chunk, bytes),
  }
  const path = site.paths[number]!
  const sent = { method: 'PATCH', path, headers, body: bytes, chunked: chunk.chunked }
  return { request, sent, offset, length, bytes }
}

/** The upload after an answer, which must be the expected one. `bytes` are those that were sent. */
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

export function head(site: Site, number: number, client = 0): Promise<Reply> {
  return site.send(client, { method: 'HEAD', path: site.paths[number]!, headers: tus })
}

export function expectedHead(model: Model, site: Site, number: number): Outcome {
  const upload = model.uploads[number]!
  const concat = {
    plain: undefined,
    partial: 'partial',
    final: `final;${upload.parts.map((part) => site.paths[part]).join(' ')}`,
  }
  return headOutcome(upload, concat[upload.kind])
}

/** The offset that HEAD tells; `undefined` when it tells none. */
export async function toldOffset(site: Site, number: number): Promise<number | undefined> {
  const reply = await head(site, number)
  const offset = reply === 'cut' ? undefined : reply.headers['upload-offset']
  return offset === undefined ? undefined : Number(offset)
}

/** Asks HEAD again and again, until it tells an offset that `holds`, or the patience of the site is over. */
export async function untilTold(
  site: Site,
  number: number,
  holds: (offset: number | undefined) => boolean,
): Promise<void> {
  const deadline = performance.now() + site.patience
  for (;;) {
    const offset = await toldOffset(site, number)
    if (holds(offset)) return
    if (performance.now() > deadline) expect.fail(`HEAD of upload ${number} stays at ${offset}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Takes over what an upload has become, and waits for the final uploads that this completes. */
export async function adopt(
  model: Model,
  site: Site,
  number: number,
  upload: ModelUpload,
): Promise<void> {
  model.uploads[number] = upload
  for (const final of model.join()) {
    // They are joined after the answer. A joined upload of another length is left to be found by the comparison.
    await untilTold(site, final, (offset) => offset !== undefined)
  }
}

/** Compares everything there is with the model. */
export async function compare(model: Model, site: Site): Promise<void> {
  for (const [number, upload] of model.uploads.entries()) {
    const wrong = difference(await head(site, number), expectedHead(model, site, number))
    if (wrong !== undefined) expect.fail(`In the end, HEAD of upload ${number}: ${wrong}`)
    if (upload.gone || !isFull(upload)) continue
    const sent = { method: 'GET', path: site.paths[number]!, headers: tus }
    const content = { statuses: [200], headers: {}, body: upload.bytes }
    const differs = difference(await site.send(0, sent), content)
    if (differs !== undefined) expect.fail(`In the end, GET of upload ${number}: ${differs}`)
  }
}
