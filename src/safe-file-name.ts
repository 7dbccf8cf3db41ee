import { baseName, shortened } from './base-name.js'
import { checkOptions, optionError, type OptionRule } from './check-options.js'

/** Options of {@link safeFileName}. */
export interface SafeFileNameOptions {
  /**
   * Maximum length of the name in bytes of UTF-8, from 64 to 255. The default is the maximum that
   * `FileStore` accepts.
   * @default 240
   */
  readonly maxLength?: number
}

const beLength: OptionRule = {
  expectation: 'a whole number of bytes from 64 to 255',
  accepts: (v) => Number.isInteger(v) && (v as number) >= 64 && (v as number) <= 255,
}

/** Names of devices on Windows, with any extension. */
const reservedPattern = /^(?:con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³]|conin\$|conout\$) *(?:\.|$)/i

/**
 * Returns a name that every file system accepts, from any name that a client gives its file, such
 * as the metadata `filename`.
 *
 * The result is the last segment of a path, in Unicode's form NFC and as close to the given name as
 * possible. It has no control characters. `_` replaces the characters that Windows forbids, and
 * precedes the names that it reserves. The result does not begin or end with a dot or a space. A
 * name that is too long is cut before its extension. A name of which nothing remains, such as `..`
 * or an absent one, becomes `file`.
 *
 * Two clients may choose the same name, and some file systems ignore case. So put the upload's id
 * before the name, or in a folder above it. Throws a `TypeError` for wrong arguments.
 *
 * @example
 * safeFileName('C:\\photos\\Été: 1.jpg') // 'Été_ 1.jpg'
 * preCreate: ({ upload }) => ({
 *   place: { path: `${upload.id}/${safeFileName(upload.metadata.values.filename)}` },
 * })
 */
export function safeFileName(name: string | undefined, options: SafeFileNameOptions = {}): string {
  const { maxLength = 240 } = checkOptions<SafeFileNameOptions>('safeFileName', options, {
    maxLength: beLength,
  })
  if (name !== undefined && typeof name !== 'string') {
    const owner = { name: 'safeFileName', noun: 'argument' }
    throw optionError(owner, 'name', { expectation: 'a string or undefined' }, name)
  }
  const allowed = trimmed(
    baseName(name)
      .normalize('NFC')
      .replace(/[<>:"|?*]/g, '_'),
  )
  const cut = (text: string) => trimmed(shortened(text, maxLength, Buffer.byteLength))
  // Cutting may leave a reserved name: `con`, many spaces, and a letter.
  const short = cut(allowed)
  return (reservedPattern.test(short) ? cut(`_${short}`) : short) || 'file'
}

function trimmed(name: string): string {
  return name.replace(/^[.\s]+|[.\s]+$/g, '')
}
