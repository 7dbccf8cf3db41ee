import type { AsyncCommand } from 'fast-check'
import { expect } from 'vitest'
import {
  createFinalOutcome,
  createOutcome,
  deleteOutcome,
  getOutcome,
  maxPartial,
  maxSize,
  patchOutcome,
  type Chunk,
  type CreateRequest,
  type Model,
  type ModelUpload,
  type Outcome,
  type PatchRequest,
  type RangeRequest,
} from './model.js'
import { adopt, agreed, checksumHeaders, expectedHead, head, preparePatch, tus } from './send.js'
import type { Reply, Site } from './site.js'

/** A step that several clients can take. Its text is one line of a counterexample. */
export type Step = AsyncCommand<Model, Site>

/** What a step on an upload that exists begins with. */
export interface Target {
  readonly client: number
  readonly number: number
}

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
    return uploads.length < 5 && (!partial || size <= maxPartial)
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

/** Notes the path of an upload, which must have been told exactly when there is one. */
async function created(
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

  constructor(client: number, parts: readonly number[]) {
    this.client = client
    this.parts = parts
  }

  check({ uploads }: Readonly<Model>): boolean {
    return this.parts.every((part) => part < uploads.length)
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

export class Patch implements Step {
  readonly target: Target
  readonly request: PatchRequest

  constructor(target: Target, request: PatchRequest) {
    this.target = target
    this.request = request
  }

  check({ uploads }: Readonly<Model>): boolean {
    return mayGrow(uploads[this.target.number], this.request)
  }

  async run(model: Model, site: Site): Promise<void> {
    const { client, number } = this.target
    const prepared = preparePatch(model, site, number, this.request)
    const expected = patchOutcome(model.uploads[number]!, this.request, prepared)
    const reply = await site.send(client, prepared.sent)
    await adopt(model, site, number, agreed(reply, expected, prepared.bytes)!)
  }

  toString(): string {
    return line(this.target.client, patchText(this.target.number, this.request))
  }
}

/** Whether a partial upload of unknown length stays small enough. */
export function mayGrow(upload: ModelUpload | undefined, request: PatchRequest): boolean {
  if (upload === undefined) return false
  if (upload.kind !== 'partial' || upload.length !== undefined) return true
  const { chunk, declares = 0, shift } = request
  return upload.bytes.length + chunk.size + Math.max(0, declares) + Math.max(0, shift) <= maxPartial
}

export class Head implements Step {
  readonly target: Target

  constructor(target: Target) {
    this.target = target
  }

  check({ uploads }: Readonly<Model>): boolean {
    return this.target.number < uploads.length
  }

  async run(model: Model, site: Site): Promise<void> {
    const { client, number } = this.target
    agreed(await head(site, number, client), expectedHead(model, site, number))
  }

  toString(): string {
    return line(this.target.client, `HEAD ${this.target.number}`)
  }
}

export class Delete implements Step {
  readonly target: Target

  constructor(target: Target) {
    this.target = target
  }

  check({ uploads }: Readonly<Model>): boolean {
    return this.target.number < uploads.length
  }

  async run(model: Model, site: Site): Promise<void> {
    const { client, number } = this.target
    const reply = await site.send(client, deletion(site, number))
    await adopt(model, site, number, agreed(reply, expectedDelete(model, number))!)
  }

  toString(): string {
    return line(this.target.client, `DELETE ${this.target.number}`)
  }
}

export function deletion(site: Site, number: number) {
  return { method: 'DELETE', path: site.paths[number]!, headers: tus }
}

export function expectedDelete(model: Model, number: number): Outcome {
  return deleteOutcome(model.uploads[number]!, model.isNeeded(number))
}

export class Get implements Step {
  readonly target: Target
  readonly range: RangeRequest | undefined

  constructor(target: Target, range: RangeRequest | undefined) {
    this.target = target
    this.range = range
  }

  check({ uploads }: Readonly<Model>): boolean {
    return this.target.number < uploads.length
  }

  async run(model: Model, site: Site): Promise<void> {
    const { client, number } = this.target
    const headers = { ...tus, ...(this.range && { range: `bytes=${rangeText(this.range)}` }) }
    const reply = await site.send(client, { method: 'GET', path: site.paths[number]!, headers })
    agreed(reply, getOutcome(model.uploads[number]!, this.range))
  }

  toString(): string {
    const range = this.range === undefined ? '' : `, bytes ${rangeText(this.range)}`
    return line(this.target.client, `GET ${this.target.number}${range}`)
  }
}

function rangeText({ first, last }: RangeRequest): string {
  return `${first ?? ''}-${last ?? ''}`
}

export function patchText(number: number, request: PatchRequest): string {
  const { chunk, declares, fills, flaw, shift } = request
  const offset = shift === 0 ? '' : ` at its offset ${shift > 0 ? '+' : '-'} ${Math.abs(shift)}`
  const rest = fills ? 'all that is missing, or ' : ''
  const end = declares === undefined ? '' : `, declaring the length as its end + ${declares}`
  return `PATCH ${number}${offset} with ${rest}${describe(chunk)}${end}${flawed(flaw)}`
}

function describe({ checksum, chunked, size }: Chunk): string {
  const digest = checksum === 'none' ? '' : `, checksum ${checksum}`
  return `${size} bytes${chunked ? ' (chunked)' : ''}${digest}`
}

function flawed(flaw: string): string {
  return flaw === 'none' ? '' : `, flaw: ${flaw}`
}

/** One step a line, so that a counterexample reads from top to bottom. */
export function line(client: number, text: string): string {
  return `\n  client ${client}: ${text}`
}
