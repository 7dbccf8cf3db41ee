import type { AsyncCommand } from 'fast-check'
import { expect } from 'vitest'
import {
  createFinalOutcome,
  createOutcome,
  maxPartial,
  maxSize,
  maxUploads,
  type CreateRequest,
  type Model,
  type ModelUpload,
} from './model.js'
import { describe, flawed, subject, targetOf, type Target, type UploadRequest } from './requests.js'
import { adopt, agreed, checksumHeaders, tus } from './send.js'
import type { Reply, Site } from './site.js'

/** A step that several clients can take. Its text is one line of a counterexample. */
export type Step = AsyncCommand<Model, Site>

export class Create implements Step {
  readonly client: number
  readonly request: CreateRequest

  constructor(client: number, request: CreateRequest) {
    this.client = client
    this.request = request
  }

  check({ uploads }: Readonly<Model>): boolean {
    const { chunk, length, partial } = this.request
    const size = Math.max(chunk?.size ?? 0, length === 'deferred' ? 0 : length)
    return uploads.length < maxUploads && (!partial || size <= maxPartial)
  }

  async run(model: Model, site: Site): Promise<void> {
    const { chunk, flaw, length, metadata, partial } = this.request
    const bytes = model.fill(chunk?.size ?? 0)
    const lengths =
      length === 'deferred' ? { 'upload-defer-length': '1' } : { 'upload-length': String(length) }
    const headers = {
      'tus-resumable': flaw === 'version' ? '0.2.2' : '1.0.0',
      ...(flaw !== 'no length' && lengths),
      ...(flaw === 'both lengths' && { 'upload-length': '1', 'upload-defer-length': '1' }),
      ...(flaw === 'too long' && { 'upload-length': String(maxSize + 1) }),
      ...(metadata !== '' && { 'upload-metadata': metadata }),
      ...(flaw === 'metadata' && { 'upload-metadata': 'a !' }),
      ...(partial && { 'upload-concat': 'partial' }),
      ...(chunk && { 'content-type': 'application/offset+octet-stream' }),
      ...(chunk && checksumHeaders(chunk, bytes)),
    }
    if (flaw === 'too long') delete (headers as Record<string, string>)['upload-defer-length']
    const body = chunk && { body: bytes, chunked: chunk.chunked }
    const reply = await site.send(this.client, { method: 'POST', path: '/files', headers, ...body })
    const upload = agreed(reply, createOutcome(this.request, bytes), bytes)
    await created(model, site, reply, upload)
  }

  toString(): string {
    const { chunk, flaw, length, metadata, partial } = this.request
    const kind = partial ? 'partial ' : ''
    const size = length === 'deferred' ? 'deferred length' : `length ${length}`
    const data = chunk === undefined ? '' : ` with ${describe(chunk)}`
    const about = metadata === '' ? '' : `, metadata "${metadata}"`
    return line(this.client, `POST ${kind}of ${size}${data}${about}${flawed(flaw)}`)
  }
}

/**
 * Records the path of an upload. The response must have a `Location` exactly when there is an
 * upload.
 */
export async function created(
  model: Model,
  site: Site,
  reply: Reply,
  upload: ModelUpload | undefined,
): Promise<void> {
  const location = reply === 'cut' ? undefined : reply.headers.location
  expect(location !== undefined, 'Location').toBe(upload !== undefined)
  if (location === undefined || upload === undefined) return
  site.paths.push(location)
  await adopt(model, site, model.uploads.length, upload)
}

export class CreateFinal implements Step {
  readonly client: number
  readonly parts: readonly number[]
  /** Whether they may include uploads that are not partial. */
  readonly strays: boolean

  constructor(client: number, parts: readonly number[], strays: boolean) {
    this.client = client
    this.parts = parts
    this.strays = strays
  }

  check({ uploads }: Readonly<Model>): boolean {
    return this.parts.every((part) => {
      const upload = uploads[part]
      if (upload === undefined) return false
      return this.strays || (upload.kind === 'partial' && !upload.gone)
    })
  }

  async run(model: Model, site: Site): Promise<void> {
    const paths = this.parts.map((part) => site.paths[part])
    const headers = { ...tus, 'upload-concat': `final;${paths.join(' ')}` }
    const reply = await site.send(this.client, { method: 'POST', path: '/files', headers })
    await created(model, site, reply, agreed(reply, createFinalOutcome(model, this.parts)))
  }

  toString(): string {
    return line(this.client, `POST final of ${this.parts.join(' + ')}`)
  }
}

/** One request to an upload, without another one at the same time. */
export class Ask implements Step {
  readonly target: Target
  readonly request: UploadRequest

  constructor(target: Target, request: UploadRequest) {
    this.target = target
    this.request = request
  }

  check(model: Readonly<Model>): boolean {
    return targetOf(model, this.target, [this.request]) !== undefined
  }

  async run(model: Model, site: Site): Promise<void> {
    const { client, number } = this.target
    const { bytes, outcome, sent } = this.request.prepare(subject(model, site, number))
    const expected = outcome(model.uploads[number]!, model.isNeeded(number))
    const reply = await site.send(client, sent)
    await adopt(model, site, number, agreed(reply, expected, bytes)!)
  }

  toString(): string {
    return line(this.target.client, this.request.text(this.target.number))
  }
}

/** One step a line, so that a counterexample reads from top to bottom. */
export function line(client: number, text: string): string {
  return `\n  client ${client}: ${text}`
}
