import { digestLengths, type ChecksumAlgorithm } from '../../../checksum-algorithms.js'
import type { ExpectedDigest } from '../../../uploads/digests/verifier.js'
import { formatDictionary, parseDictionary } from './structured-field.js'

/**
 * An algorithm that RFC 9530 registers. The deprecated `crc32c` is for tus only. There is no
 * `crc32`.
 */
export type DigestAlgorithm = Exclude<ChecksumAlgorithm, 'crc32' | 'crc32c'>

/** A digest that a field names, as long as the algorithm's digests are. */
export interface FieldDigest extends ExpectedDigest {
  readonly algorithm: DigestAlgorithm
}

/** The content of a `Content-Digest` or `Repr-Digest` field, in its order. */
export interface DigestField {
  readonly expected: readonly FieldDigest[]
  /** The names of unknown algorithms. RFC 9530 allows ignoring them. */
  readonly unknown: readonly string[]
  /** The names of known algorithms whose values cannot be digests of theirs. */
  readonly invalid: readonly string[]
}

/** The names of the algorithms in RFC 9530 section 7.2. */
export const digestNames: Readonly<Record<DigestAlgorithm, string>> = {
  sha256: 'sha-256',
  sha512: 'sha-512',
  md5: 'md5',
  sha1: 'sha',
}

const digestAlgorithms = Object.keys(digestNames) as DigestAlgorithm[]

/**
 * Reads a `Content-Digest` or `Repr-Digest` field (RFC 9530 sections 2 and 3).
 *
 * Returns `undefined` if it is not a Dictionary: the field counts as absent.
 */
export function parseDigest(value: string): DigestField | undefined {
  const members = parseDictionary(value)
  if (members === undefined) return undefined
  const [expected, unknown, invalid]: [FieldDigest[], string[], string[]] = [[], [], []]
  for (const [name, member] of members) {
    const algorithm = algorithmNamed(name)
    if (algorithm === undefined) unknown.push(name)
    else if (member.type !== 'bytes' || member.value.length !== digestLengths[algorithm]) {
      invalid.push(name)
    } else expected.push({ algorithm, digest: member.value })
  }
  return { expected, unknown, invalid }
}

/**
 * Returns the known algorithm that a `Want-Repr-Digest` or `Want-Content-Digest` field (RFC 9530
 * section 4) prefers, the first of several. A preference that is not an Integer from 0 to 10 counts
 * as absent.
 *
 * Returns `undefined` if it prefers no known algorithm, or is not a Dictionary.
 */
export function parseWantDigest(value: string): DigestAlgorithm | undefined {
  let best: DigestAlgorithm | undefined
  // 0 means: not acceptable.
  let most = 0
  for (const [name, { type, value: preference }] of parseDictionary(value) ?? []) {
    const algorithm = algorithmNamed(name)
    if (algorithm === undefined || type !== 'integer') continue
    if (preference > most && preference <= 10) [best, most] = [algorithm, preference]
  }
  return best
}

/** Writes a `Content-Digest` or `Repr-Digest` field of one digest. */
export function formatDigest(algorithm: DigestAlgorithm, digest: Buffer): string {
  return formatDictionary({ [digestNames[algorithm]]: digest })
}

function algorithmNamed(name: string): DigestAlgorithm | undefined {
  return digestAlgorithms.find((algorithm) => digestNames[algorithm] === name)
}
