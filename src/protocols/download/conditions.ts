import type { IncomingHttpHeaders } from 'node:http'
import { parseHttpDate } from './parse-http-date.js'

/** The values that distinguish one version of some content from another. */
export interface Validators {
  /** An entity tag with its quotes. */
  readonly etag: string
  /** Fractions of a second are ignored. */
  readonly lastModified: Date
}

/**
 * How a GET or HEAD continues: `proceed`; `ignore-range` (send everything, despite `Range`);
 * `not-modified` (304); `precondition-failed` (412).
 */
export type ConditionResult = 'proceed' | 'ignore-range' | 'not-modified' | 'precondition-failed'

/**
 * Evaluates the conditions of a GET or HEAD in the order of RFC 9110 section 13.2.2. A condition
 * with an invalid date is ignored, except in `If-Range`, where it is not met.
 */
export function evaluateConditions(
  headers: IncomingHttpHeaders,
  { etag, lastModified }: Validators,
): ConditionResult {
  const modified = Math.floor(lastModified.getTime() / 1000) * 1000
  const ifMatch = headers['if-match']
  const ifNoneMatch = headers['if-none-match']

  if (ifMatch) {
    if (!anyMatches(ifMatch, etag, strongly)) return 'precondition-failed'
  } else if (modified > (time(headers['if-unmodified-since']) ?? Infinity)) {
    return 'precondition-failed'
  }
  if (ifNoneMatch) {
    if (anyMatches(ifNoneMatch, etag, weakly)) return 'not-modified'
  } else if (modified <= (time(headers['if-modified-since']) ?? -Infinity)) {
    return 'not-modified'
  }
  // Finished uploads never change, so their date is as strong as their tag (section 13.1.5).
  const ifRange = text(headers['if-range'])
  if (ifRange && !strongly(ifRange, etag) && time(ifRange) !== modified) return 'ignore-range'
  return 'proceed'
}

function anyMatches(
  list: string,
  etag: string,
  matches: (tag: string, etag: string) => boolean,
): boolean {
  const tags = list.match(/(?:W\/)?"[^"]*"/g) ?? []
  return list.trim() === '*' || tags.some((tag) => matches(tag, etag))
}

function strongly(tag: string, etag: string): boolean {
  return tag === etag && tag.startsWith('"')
}

function weakly(tag: string, etag: string): boolean {
  return tag.replace(/^W\//, '') === etag.replace(/^W\//, '')
}

function time(header: string | undefined): number | undefined {
  return header === undefined ? undefined : parseHttpDate(header)
}

function text(header: string | string[] | undefined): string {
  return typeof header === 'string' ? header : ''
}
