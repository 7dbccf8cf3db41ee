import { TusError } from './errors.js'
import type { Metadata } from './upload.js'
import { parseBase64 } from './parse-base64.js'

/** Printable ASCII without space and comma. */
const keyPattern = /^[\x21-\x2b\x2d-\x7e]+$/

/**
 * Reads an `Upload-Metadata` header: pairs separated by commas, each a key and optionally a space and a Base64
 * value. An absent or empty header is no metadata. Values that are not UTF-8 show replacement characters in the
 * decoded view; `raw` keeps them.
 *
 * Throws `ERR_INVALID_METADATA` for anything else, a key that comes twice included.
 */
export function parseMetadata(header: string | undefined): Metadata {
  const raw = header ?? ''
  const values: Record<string, string> = Object.create(null)
  if (raw === '') return { raw, values }
  for (const [index, text] of raw.split(',').entries()) {
    // TUSKit puts a space after the comma, and so does Node when it joins repeated lines.
    const pair = index === 0 ? text.trimEnd() : text.trim()
    const space = pair.indexOf(' ')
    const key = space < 0 ? pair : pair.slice(0, space)
    const value = space < 0 ? Buffer.alloc(0) : parseBase64(pair.slice(space + 1))
    if (!keyPattern.test(key) || value === undefined || key in values) {
      throw new TusError('ERR_INVALID_METADATA')
    }
    values[key] = value.toString()
  }
  return { raw, values: Object.freeze(values) }
}

/**
 * Writes an `Upload-Metadata` header from a decoded view, for metadata that a hook replaced. Throws a `TypeError`
 * when a key is empty or holds anything but printable ASCII without space and comma.
 */
export function formatMetadata(values: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(values).map(([key, value]) => {
    if (!keyPattern.test(key)) {
      throw new TypeError(
        `A metadata key must be printable ASCII without space and comma, not ${JSON.stringify(key)}`,
      )
    }
    return value === '' ? key : `${key} ${Buffer.from(value).toString('base64')}`
  })
  return pairs.join(',')
}
