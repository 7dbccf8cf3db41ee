import { TusError } from './errors.js'
import { isUploadId, type RecordedResponse, type StorageRef, type Upload } from './upload.js'

/**
 * The version of the format in which records are written. It grows with each change that earlier
 * versions of tuskit would misunderstand.
 */
const writes = 1

/**
 * The latest version of the format that is understood. It grows one release before the other, so
 * that servers of both releases can run during an update.
 */
const reads = 1

/**
 * Returns a record as text, for info stores, with the version of its format. Throws a `TypeError`
 * that names the wrong member if {@link parseUpload} would not accept the record.
 */
export function serializeUpload(upload: Upload): string {
  const fault = uploadShape(upload)
  if (fault !== undefined) throw new TypeError(faultMessage(fault))
  return JSON.stringify({ format: writes, ...upload })
}

/**
 * Parses a record that {@link serializeUpload} wrote, in this version of tuskit or an earlier one.
 * Members that this version does not know are kept.
 *
 * Throws `ERR_INFO_CORRUPT` if the text is not a record, and `ERR_INFO_FORMAT` if a later version
 * wrote it.
 */
export function parseUpload(text: string): Upload {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new TusError('ERR_INFO_CORRUPT', { cause })
  }
  return uploadFrom(value)
}

/**
 * Returns a record from parsed JSON, which this function changes and keeps. Throws as
 * {@link parseUpload} does.
 */
export function uploadFrom(value: unknown): Upload {
  // The first records had no version.
  const { format = 1, ...record } = isObject(value) ? value : {}
  const isVersion = Number.isSafeInteger(format) && (format as number) > 0
  if (isVersion && (format as number) > reads) {
    const cause = new Error(
      `The record has format ${format}; this version of tuskit reads ${reads}`,
    )
    throw new TusError('ERR_INFO_FORMAT', { cause })
  }
  const fault = isVersion ? uploadShape(record) : 'format'
  if (fault !== undefined) {
    throw new TusError('ERR_INFO_CORRUPT', { cause: new Error(faultMessage(fault)) })
  }
  const upload = record as unknown as Upload
  Object.freeze(Object.setPrototypeOf(upload.metadata.values, null))
  return withoutZeroStatus(upload)
}

/** Earlier versions recorded status 0 when a hook chose none. */
function withoutZeroStatus(upload: Upload): Upload {
  const { state } = upload
  if (state.kind !== 'finished' || state.response?.status !== 0) return upload
  const { status: _, ...response } = state.response
  return { ...upload, state: { ...state, response } }
}

function faultMessage(fault: string): string {
  return fault === ''
    ? 'This is not the record of an upload'
    : `The member ${fault} of the record is wrong`
}

/**
 * Returns the path of the first wrong member, or `undefined` if the value is right. The path is
 * empty if the value itself is wrong.
 */
type Shape = (value: unknown) => string | undefined

function is(accepts: (value: unknown) => boolean): Shape {
  return (value) => (accepts(value) ? undefined : '')
}

const text = is((value) => typeof value === 'string')
const size = is((value) => Number.isSafeInteger(value) && (value as number) >= 0)
const time = is((value) => typeof value === 'string' && !Number.isNaN(Date.parse(value)))
const anything = is(() => true)

function oneOf(...values: readonly unknown[]): Shape {
  return is((value) => values.includes(value))
}

function optional(shape: Shape): Shape {
  return (value) => (value === undefined ? undefined : shape(value))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function within(name: string, fault: string): string {
  return fault === '' ? name : `${name}.${fault}`
}

function object<T>(members: { readonly [Name in keyof Required<T>]: Shape }): Shape {
  const shapes = Object.entries<Shape>(members)
  return (value) => {
    if (!isObject(value)) return ''
    for (const [name, shape] of shapes) {
      const fault = shape(value[name])
      if (fault !== undefined) return within(name, fault)
    }
    return undefined
  }
}

function every(shape: Shape, isKind: (value: unknown) => boolean): Shape {
  return (value) => {
    if (!isKind(value)) return ''
    for (const name in value as object) {
      const fault = shape((value as Record<string, unknown>)[name])
      if (fault !== undefined) return within(name, fault)
    }
    return undefined
  }
}

const texts = every(text, isObject)
const ids = every(text, Array.isArray)

/** Returns the shape of an object whose `kind` determines its other members. */
function variants(kinds: Readonly<Record<string, Shape>>): Shape {
  return (value) => {
    if (!isObject(value)) return ''
    const { kind } = value
    return typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind]!(value) : 'kind'
  }
}

const response = object<RecordedResponse>({
  status: optional(size),
  headers: texts,
  body: text,
  code: optional(text),
  digests: optional(texts),
})

const storageRef = object<StorageRef>({ kind: text, at: texts, secret: anything })

const uploadShape = object<Upload>({
  id: is((value) => typeof value === 'string' && isUploadId(value)),
  revision: size,
  protocol: oneOf('tus', 'ietf'),
  length: optional(size),
  maxSize: optional(size),
  metadata: object<Upload['metadata']>({ raw: text, values: texts }),
  representation: optional(
    object<NonNullable<Upload['representation']>>({
      method: text,
      target: text,
      headers: texts,
      digests: optional(texts),
      wantedDigest: optional(text),
    }),
  ),
  digests: optional(texts),
  completes: optional(oneOf(true)),
  concat: optional(
    variants({
      partial: object({ finals: ids }),
      final: object({ header: text, partials: ids }),
    }),
  ),
  storage: storageRef,
  moving: optional(storageRef),
  createdAt: time,
  expiresAt: optional(time),
  finish: oneOf('implied', 'recorded'),
  state: variants({
    open: object({}),
    finished: object({ at: time, response: optional(response), digests: optional(texts) }),
    rejected: object({ at: time, response }),
    gone: object({ at: time, cause: oneOf('terminated', 'expired', 'overrun') }),
  }),
})
