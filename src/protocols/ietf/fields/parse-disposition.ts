import { isUtf8 } from 'node:buffer'
import { baseName } from '../../../base-name.js'
import { httpToken } from '../../../http-token.js'

const dispositionType = new RegExp(`[ \\t]*${httpToken}[ \\t]*`, 'y')

/**
 * One parameter, or none, as RFC 9110 section 5.6.6 allows. Without quotes, more than a token is
 * taken: a name that went through `encodeURIComponent` may have parentheses, and `\s` would match a
 * byte of some letters.
 */
const parameterValue = /(?:"((?:[^"\\]|\\[^])*)"|([^\0- ",;\x7f]+))/.source
const parameter = new RegExp(
  `;[ \\t]*(?:(${httpToken})[ \\t]*=[ \\t]*${parameterValue}[ \\t]*)?`,
  'y',
)

/** RFC 8187 section 3.2.1: a charset, a language, and what is percent-encoded in it. */
const extendedValue = /^(utf-8|iso-8859-1)'[a-z\d-]*'((?:[!-$&-~]|%[\da-f]{2})+)$/i

/**
 * Returns the file name in a `Content-Disposition` header of any type (RFC 6266): that of
 * `filename*`, or else of `filename`, without directories or control characters, and at most 255
 * characters long.
 *
 * Returns `undefined` if the header is absent, malformed or repeated, or names no file. A malformed
 * or repeated parameter counts as absent.
 */
export function parseFilename(value: string | undefined): string | undefined {
  const parameters = parseParameters(value ?? '')
  const extended = decodeExtended(parameters?.get('filename*') ?? '')
  const simple = decodeBytes(parameters?.get('filename') ?? '')
  return [extended, simple].map(baseName).find(Boolean)
}

/** The parameters by their names in lower case; a repeated one has no value. */
function parseParameters(text: string): ReadonlyMap<string, string | undefined> | undefined {
  const parameters = new Map<string, string | undefined>()
  dispositionType.lastIndex = 0
  if (!dispositionType.test(text)) return undefined
  let at = dispositionType.lastIndex
  while (at < text.length) {
    parameter.lastIndex = at
    const [, name, quoted, plain] = parameter.exec(text) ?? []
    // A pattern that finds nothing is back at 0.
    if (parameter.lastIndex === 0) return undefined
    at = parameter.lastIndex
    if (name === undefined) continue
    const key = name.toLowerCase()
    // RFC 6266 section 4.1: a repeated parameter is ambiguous.
    parameters.set(
      key,
      parameters.has(key) ? undefined : (plain ?? quoted?.replace(/\\([^])/g, '$1')),
    )
  }
  return parameters
}

function decodeExtended(value: string): string | undefined {
  const [, charset, encoded = ''] = extendedValue.exec(value) ?? []
  if (charset === undefined) return undefined
  const latin1 = encoded.replace(/%(..)/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  )
  if (charset.toLowerCase() !== 'utf-8') return latin1
  const bytes = Buffer.from(latin1, 'latin1')
  return isUtf8(bytes) ? bytes.toString() : undefined
}

/** Node reads headers as Latin-1, but many clients write them as UTF-8. */
function decodeBytes(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1')
  // Not every framework takes headers from Node, so decoded text stays unchanged.
  return isUtf8(bytes) && bytes.toString('latin1') === latin1 ? bytes.toString() : latin1
}
