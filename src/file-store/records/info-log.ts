import { randomUUID } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { TusError } from '../../errors.js'
import { serializeUpload, uploadFrom } from '../../parse-upload.js'
import type { Upload } from '../../upload.js'

/** The content of the log of one record. */
export interface LogEnd {
  readonly upload: Upload
  /** The record as the lines contain it. */
  readonly record: JsonObject
  /** The nonces of the lines that count, in order. */
  readonly nonces: readonly string[]
}

type JsonObject = Readonly<Record<string, unknown>>

/** A line to be appended. */
export interface LogLine {
  readonly nonce: string
  readonly bytes: Buffer
  /** The record in it. */
  readonly json: string
}

/** Ends a line that was cut off. No complete line ends like this. */
const cutMark = '~'
const cutMarkByte = 0x7e
const lineEnd = 0x0a

/** Precedes the JSON of a line that has only the changes since the line before it. */
const patchMark = '+'

/**
 * Returns the line for a state of a record: checksum, revision, nonce, and JSON without line ends.
 * The first line has the whole record. Each later one has the members that have changed since
 * `before`, and null for removed ones (RFC 7386), so that a log does not repeat constant members,
 * such as metadata.
 *
 * A line that was cut off may come before it, known to this writer or not. So each line begins with
 * the mark that ends such a line. That never makes a cut-off line valid: its writer has reported
 * the failure.
 */
export function logLine(upload: Upload, before: LogEnd | undefined): LogLine {
  const nonce = randomUUID()
  const json = serializeUpload(upload)
  const text = before === undefined ? json : patchMark + patchFrom(before.record, JSON.parse(json))
  const content = `${upload.revision} ${nonce} ${text}`
  return { nonce, json, bytes: Buffer.from(`${cutMark}\n${checksum(content)} ${content}\n`) }
}

/**
 * Reads the current state of a log. After each revision, the first line with the next revision
 * counts. So all readers choose the same of two lines with one revision, and the other never
 * counts. Returns `undefined` when there is no complete line.
 *
 * Throws `ERR_INFO_CORRUPT` when a line has changed since it was written, unless it was cut off: it
 * may have been the latest state.
 */
export function followLog(log: Buffer): LogEnd | undefined {
  const nonces: string[] = []
  let last: ValidLine | undefined
  let record: JsonObject | undefined
  let start = 0
  for (let end; (end = log.indexOf(lineEnd, start)) >= 0; start = end + 1) {
    const bytes = log.subarray(start, end)
    const line = validLine(bytes)
    if (line === undefined) {
      if (bytes.at(-1) !== cutMarkByte || !isCutOff(bytes.subarray(0, -1))) throw damage(start)
    } else if (last === undefined || line.revision === last.revision + 1) {
      last = line
      record = recordAfter(record, line.text)
      if (record === undefined) throw damage(start)
      nonces.push(line.nonce)
    } else if (line.revision > last.revision) {
      // Its writer saw the revision before.
      throw damage(start)
    }
  }
  // The rest after the last line end is being written, or was cut off.
  if (!isCutOff(log.subarray(start))) throw damage(start)
  return record && { upload: uploadFrom(record), record, nonces }
}

/** Applies the JSON of a line to a record. Returns `undefined` when it is invalid. */
function recordAfter(record: JsonObject | undefined, text: string): JsonObject | undefined {
  try {
    if (!text.startsWith(patchMark)) return JSON.parse(text)
    if (record === undefined) return undefined
    const patch = JSON.parse(text.slice(patchMark.length)) as JsonObject
    const members = Object.entries({ ...record, ...patch }).filter(([, value]) => value !== null)
    return Object.fromEntries(members)
  } catch {
    return undefined
  }
}

function patchFrom(before: JsonObject, after: JsonObject): string {
  const patch: Record<string, unknown> = {}
  for (const name of Object.keys({ ...before, ...after })) {
    const value = after[name] ?? null
    if (JSON.stringify(value) !== JSON.stringify(before[name] ?? null)) patch[name] = value
  }
  return JSON.stringify(patch)
}

interface ValidLine {
  readonly revision: number
  readonly nonce: string
  readonly text: string
}

function validLine(bytes: Buffer): ValidLine | undefined {
  if (bytes.toString('latin1', 0, 9) !== `${checksum(bytes.subarray(9))} `) return undefined
  // JSON can contain Unicode line separators.
  const [, revision, nonce = '', text = ''] =
    /^(\d+) (\S+) (.*)$/s.exec(bytes.toString('utf8', 9)) ?? []
  return revision === undefined ? undefined : { revision: Number(revision), nonce, text }
}

/**
 * Returns whether bytes can be the beginning of a line. A complete line and one more byte is a line
 * whose end has changed, unless that byte begins the next line, which was cut off as well.
 */
function isCutOff(bytes: Buffer): boolean {
  return bytes.at(-1) === cutMarkByte || validLine(bytes.subarray(0, -1)) === undefined
}

function damage(position: number): TusError {
  const cause = new Error(`The line at byte ${position} of the record is damaged`)
  return new TusError('ERR_INFO_CORRUPT', { cause })
}

function checksum(content: string | Buffer): string {
  return crc32(content).toString(16).padStart(8, '0')
}
