import { optionError } from './check-options.js'
import { errors, type ErrorCode } from './error-codes.js'
import type { Digests, RecordedResponse } from './upload.js'

const brand = Symbol.for('tuskit.error')

/** Details of one {@link TusError}. Absent ones come from the table of codes. */
export interface TusErrorOptions {
  /**
   * Replaces the sentence of the table. Clients see it, except with status 422 or 500: then it is
   * only logged, because it may reveal how the server works inside.
   */
  readonly message?: string
  /** The error that led to this one. It is logged, never shown to clients. */
  readonly cause?: unknown
  /** Response headers that belong to the error. */
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes that are stored, if the client can resume from there. */
  readonly offset?: number | undefined
  /** A response that the application chose. It replaces status, headers and sentence. */
  readonly response?: RecordedResponse
  /**
   * Whether that response is recorded as the end of the upload.
   * @default false
   */
  readonly final?: boolean
  /** The maximum size of the upload in bytes, if the error is about that. */
  readonly maxSize?: number
  /**
   * The client's digests that do not match, if the error is about them: in Base64, by algorithm.
   */
  readonly digests?: Digests | undefined
}

/**
 * A failure with a stable code. Recognise it by {@link isTusError} or by `code`, never by
 * `instanceof`: the ESM and CommonJS builds each have their own copy of the class.
 *
 * As in Node's own errors, `stack` and `toString()` begin with the code: `TusError
 * [ERR_UPLOAD_GONE]: …`. Optional members are own properties only when they are set.
 *
 * The constructor throws a `TypeError` for an unknown code.
 */
export class TusError extends Error {
  readonly code: ErrorCode
  /** The HTTP status of the response. */
  readonly status: number
  /** Response headers that belong to the error. Empty unless set. */
  declare readonly headers: Readonly<Record<string, string>>
  /** Bytes that are stored, if the client can resume from there. */
  declare readonly offset: number | undefined
  /** The response that the application chose, if it did. */
  declare readonly response: RecordedResponse | undefined
  /** Whether that response is recorded as the end of the upload. `false` unless set. */
  declare readonly final: boolean
  /** The maximum size of the upload in bytes, if the error is about that. */
  declare readonly maxSize: number | undefined
  /**
   * The client's digests that do not match, if the error is about them: in Base64, by algorithm.
   */
  declare readonly digests: Digests | undefined

  static {
    const hidden = { headers: Object.freeze({}), final: false, [brand]: true }
    for (const key of Reflect.ownKeys(hidden)) {
      const value: unknown = Reflect.get(hidden, key)
      Object.defineProperty(this.prototype, key, { value, writable: true, configurable: true })
    }
  }

  constructor(code: ErrorCode, options: TusErrorOptions = {}) {
    if (!Object.hasOwn(errors, code)) throw unknownCode(code)
    const [status, sentence] = errors[code]
    const { cause, response, offset, maxSize, digests } = options
    const message = String(response?.body ?? options.message ?? sentence)
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = response?.status ?? status
    const headers = response?.headers ?? options.headers
    if (headers !== undefined) this.headers = headers
    if (offset !== undefined) this.offset = offset
    if (response !== undefined) this.response = response
    if (options.final) this.final = true
    if (maxSize !== undefined) this.maxSize = maxSize
    if (digests !== undefined) this.digests = digests
  }

  /** `TusError [ERR_…]`, with which V8 begins the stack when it is first read. */
  override get name(): string {
    return `TusError [${this.code}]`
  }
}

function unknownCode(code: unknown): TypeError {
  const owner = { name: 'TusError', noun: 'argument' }
  const choices = Object.keys(errors)
  return optionError(owner, 'code', { expectation: 'a code of the table errors', choices }, code)
}

/**
 * Returns whether a value is a {@link TusError}, from any copy of tuskit, and has the given code if
 * there is one.
 */
export function isTusError(value: unknown, code?: ErrorCode): value is TusError {
  return (
    typeof value === 'object' &&
    value !== null &&
    brand in value &&
    (code === undefined || (value as { code?: unknown }).code === code)
  )
}
