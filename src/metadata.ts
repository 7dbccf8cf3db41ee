import { must, type OptionRule } from './check-options.js'
import { TusError } from './errors.js'
import type { Metadata } from './upload.js'
import { parseBase64 } from './parse-base64.js'

/** Printable ASCII without space and comma. */
const keyPattern = /^[\x21-\x2b\x2d-\x7e]+$/

const faultOfKey = 'has a key with characters other than printable ASCII'

/** A key that can be shown in an error: keys that people choose look like this. */
const showablePattern = /^[\w.-]{1,64}$/

/**
 * Parses an `Upload-Metadata` header: pairs separated by commas, each a key and optionally spaces
 * and a Base64 value. A comma at the end is ignored. An absent or empty header means no metadata.
 * Values that are not UTF-8 show replacement characters in the decoded view; `raw` keeps them.
 *
 * Throws `ERR_INVALID_METADATA` for anything else, such as a key that comes twice. The message
 * names the pair.
 */
export function parseMetadata(header: string | undefined): Metadata {
  const raw = header ?? ''
  const pairs = raw.split(',')
  if (pairs.at(-1)!.trim() === '') pairs.pop()
  if (raw !== '' && pairs.length === 0) throw invalid(1, '', 'is empty')
  const entries = new Map<string, string>()
  for (const [index, text] of pairs.entries()) {
    // TUSKit puts a space after the comma, and so does Node when it joins repeated lines.
    const pair = index === 0 ? text.trimEnd() : text.trim()
    const [key = '', encoded = '', ...more] = pair.split(/ +/)
    const refuse = (fault: string) => invalid(index + 1, key, fault)
    if (pair === '') throw refuse('is empty')
    if (key === '') throw refuse('has no key')
    if (!keyPattern.test(key)) throw refuse(faultOfKey)
    if (entries.has(key)) throw refuse('has the same key as an earlier pair')
    if (more.length > 0) throw refuse('has more than a key and a value')
    const value = parseBase64(encoded)
    if (value === undefined) throw refuse('has a value that is not standard Base64 with padding')
    entries.set(key, value.toString())
  }
  return { raw, values: metadataValues(entries) }
}

function invalid(position: number, key: string, fault: string): TusError {
  const name = showablePattern.test(key) ? ` ("${key}")` : ''
  const message = `Pair ${position} of Upload-Metadata${name} ${fault}`
  return new TusError('ERR_INVALID_METADATA', { message })
}

/** The rule for metadata that a hook chose. */
export const beMetadata: OptionRule = {
  expectation: 'a plain object of strings, whose keys are printable ASCII without space and comma',
  accepts: (v) =>
    must.beTexts.accepts(v) && Object.keys(v as object).every((key) => keyPattern.test(key)),
}

/**
 * Returns the metadata of an upload that was not created by a client's request, such as one from
 * another server.
 *
 * Throws `ERR_INVALID_METADATA` if a key has characters other than printable ASCII, or a space or
 * comma.
 */
export function metadataOf(values: Readonly<Record<string, string>>): Metadata {
  const keys = Object.keys(values)
  const wrong = keys.findIndex((key) => !keyPattern.test(key))
  if (wrong >= 0) throw invalid(wrong + 1, keys[wrong]!, faultOfKey)
  return { raw: formatMetadata(values), values: metadataValues(Object.entries(values)) }
}

/**
 * Returns the decoded view: frozen and without a prototype, so that `__proto__` and `constructor`
 * are keys like any other.
 */
export function metadataValues(entries: Iterable<readonly [string, string]>): Metadata['values'] {
  const values: Record<string, string> = Object.create(null)
  for (const [key, value] of entries) values[key] = value
  return Object.freeze(values)
}

/**
 * Formats a decoded view that {@link beMetadata} accepts as an `Upload-Metadata` header.
 */
export function formatMetadata(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([key, value]) =>
    value === '' ? key : `${key} ${Buffer.from(value).toString('base64')}`,
  )
  return pairs.join(',')
}
