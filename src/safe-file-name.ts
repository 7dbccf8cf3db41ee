import { baseName, shortened } from './base-name.js'
import { checkOptions, type OptionRule } from './check-options.js'

/** Options of {@link safeFileName}. */
export interface SafeFileNameOptions {
  /** Longest name in bytes of UTF-8, from 64 to 255. Default 240, which is the most that `FileStore` takes. */
  readonly maxLength?: number
}

const beLength: OptionRule = {
  expectation: 'a whole number of bytes from 64 to 255',
  accepts: (v) => Number.isInteger(v) && (v as number) >= 64 && (v as number) <= 255,
}

/** Names of devices on Windows, with whatever extension. */
const reservedPattern = /^(?:con|prn|aux|nul|com[\d¹²³]|lpt[\d¹²³]|conin\$|conout\$) *(?:\.|$)/i

/**
 * Makes a name that every file system takes of whatever a client calls its file, such as the metadata `filename`.
 *
 * The result is the last segment of a path, in Unicode's form NFC and as close to the given name as can be: without
 * control characters, with `_` for the characters that Windows forbids and before the names that it reserves. It does
 * not begin with a dot or a space, or end in one. Too long a name is cut before its extension. What leaves nothing, such
 * as `..` or an absent name, becomes `file`.
 *
 * Two clients may choose the same name, and some file systems ignore case: put the upload's id before the name, or in a
 * folder above it. Throws a `TypeError` for wrong options.
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
  const allowed = trimmed(
    baseName(name)
      .normalize('NFC')
      .replace(/[<>:"|?*]/g, '_'),
  )
  const cut = (text: string) => trimmed(shortened(text, maxLength, Buffer.byteLength))
  // Only what is left may turn out to be reserved: `con`, many spaces, and a letter.
  const short = cut(allowed)
  return (reservedPattern.test(short) ? cut(`_${short}`) : short) || 'file'
}

function trimmed(name: string): string {
  return name.replace(/^[.\s]+|[.\s]+$/g, '')
}
