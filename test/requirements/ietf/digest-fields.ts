import { createHash } from 'node:crypto'

/** The registry of the problem types for digests. */
export const digestProblem = 'https://iana.org/assignments/http-problem-types#digest-'

const hashes = { 'sha-512': 'sha512', 'sha-256': 'sha256', sha: 'sha1', md5: 'md5' } as const

/** The name in RFC 9530 of an algorithm that the server supports. */
export type Algorithm = keyof typeof hashes

export const algorithms = Object.keys(hashes) as Algorithm[]

export function base64Of(data: string | Buffer, algorithm: Algorithm): string {
  return createHash(hashes[algorithm]).update(data).digest('base64')
}

/** Returns the value of a digest field. */
export function digest(data: string | Buffer, algorithm: Algorithm = 'sha-256'): string {
  return `${algorithm}=:${base64Of(data, algorithm)}:`
}
