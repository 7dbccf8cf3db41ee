import type { Metadata, Upload } from '../upload.js'
import { recordOf } from './stage.js'

/** A record of an upload whose data lives somewhere. */
export function recordAt(id: string, fields: Partial<Upload> = {}): Upload {
  return { ...recordOf(id), storage: { kind: 'conformance', at: { key: id } }, ...fields }
}

/** The record after a change. */
export function nextOf(upload: Upload, fields: Partial<Upload> = {}): Upload {
  return { ...upload, ...fields, revision: upload.revision + 1 }
}

const at = '2026-01-02T03:04:05.678Z'

/** Records that have among them every member that a record can have. */
export const whole: readonly Upload[] = [
  recordAt('bare'),
  recordAt('full', {
    length: Number.MAX_SAFE_INTEGER,
    maxSize: 0,
    metadata: metadataOf({ name: 'café ✓ \n\u0000"\'\\ 😀', constructor: '', ['__proto__']: 'x' }),
    storage: {
      kind: 'conformance',
      at: { bucket: 'b', key: 'a/b c/%20' },
      secret: { id: 'x', parts: [1, 2.5, true, null, { nested: [] }] },
    },
    expiresAt: at,
    finish: 'recorded',
  }),
  recordAt('draft', { protocol: 'ietf' }),
  recordAt('partial', { concat: { kind: 'partial', finals: ['final', 'other'] } }),
  recordAt('final', {
    concat: { kind: 'final', header: 'final;/files/partial', partials: ['partial', 'partial'] },
  }),
  recordAt('finished', { state: { kind: 'finished', at } }),
  recordAt('answered', {
    state: { kind: 'finished', at, response: { status: 201, headers: { 'x-a': 'b' }, body: 'ü' } },
  }),
  recordAt('rejected', {
    state: { kind: 'rejected', at, response: { status: 400, headers: {}, body: '' } },
  }),
  recordAt('gone', { state: { kind: 'gone', at, cause: 'expired' } }),
  // Larger than a page, a pipe, or a column of 64 KiB.
  recordAt('large', { metadata: metadataOf({ name: 'é'.repeat(100_000) }) }),
]

function metadataOf(values: Readonly<Record<string, string>>): Metadata {
  const pairs = Object.entries(values).map(([key, value]) => {
    return `${key} ${Buffer.from(value).toString('base64')}`
  })
  return { raw: pairs.join(), values: Object.assign(Object.create(null), values) }
}
