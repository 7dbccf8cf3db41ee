import { digestLengths, type ChecksumAlgorithm } from '../../../checksum-algorithms.js'
import type { ExpectedDigest } from '../../../uploads/digests/verifier.js'
import { formatDictionary, parseDictionary } from './structured-field.js'

/** An algorithm that RFC 9530 registers. Its `crc32c`, which it deprecates, is left to tus; it has no `crc32`. */
export type DigestAlgorithm = Exclude<ChecksumAlgorithm, 'crc32' | 'crc32c'>

/** A digest that a field names, as long as the algorithm's digests are. */
export interface FieldDigest extends ExpectedDigest {
  readonly algorithm: DigestAlgorithm
}

/** What a `Content-Digest` or `Repr-Digest` field holds, each in its order there. */
export interface DigestField {
  readonly expected: readonly FieldDigest[]
  /** The names of algorithms that nobody here knows. RFC 9530 lets them be ignored. */
  readonly unknown: readonly string[]
  /** The names of known algorithms whose values cannot be digests of theirs. */
  readonly invalid: readonly string[]
}

/** What RFC 9530 section 7.2 calls the algorithms. */
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
 * `undefined` when it is no Dictionary: the field counts as absent.
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
 * The algorithm that a `Want-Repr-Digest` or `Want-Content-Digest` field (RFC 9530 section 4) likes best of those
 * known here; of several, the first. A preference that is no Integer from 0 to 10 counts as absent.
 *
 * `undefined` when it likes none, and when it is no Dictionary.
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
