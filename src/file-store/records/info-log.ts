import { randomUUID } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { TusError } from '../../errors.js'
import { serializeUpload, uploadFrom } from '../../parse-upload.js'
import type { Upload } from '../../upload.js'

/** What the log of one record says. */
export interface LogEnd {
  readonly upload: Upload
  /** The same as the lines have it. */
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

/** Ends a line that was cut off. No whole line ends like this. */
const cutMark = '~'
const cutMarkByte = 0x7e
const lineEnd = 0x0a

/** Stands before the JSON of a line that has only what differs from the line before it. */
const patchMark = '+'

/**
 * The line for a state of a record: checksum, revision, nonce, and JSON, which has no line ends. The first line has the
 * whole record. Each later one has the members that have changed since `before`, and null for those that are gone (RFC
 * 7386), so that a log does not repeat what never changes, such as metadata.
 *
 * A line that was cut off may stand before it, whether this writer has seen it or not. So each line begins with the
 * mark that ends such a one. A line that was cut off never becomes a valid one by that: its writer has reported the
 * failure.
 */
export function logLine(upload: Upload, before: LogEnd | undefined): LogLine {
  const nonce = randomUUID()
  const json = serializeUpload(upload)
  const text = before === undefined ? json : patchMark + patchFrom(before.record, JSON.parse(json))
  const content = `${upload.revision} ${nonce} ${text}`
  return { nonce, json, bytes: Buffer.from(`${cutMark}\n${checksum(content)} ${content}\n`) }
}

/**
 * Where a log stands: from its first line on, for each revision the first line that has the next one. So of two lines
 * with the same revision all readers take the same, and the other one never counts. `undefined` when there is no whole
 * line.
 *
 * Throws `ERR_INFO_CORRUPT` when anything but a line that was cut off is not as it was written: it may have been the
 * latest state.
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
  // What follows the last line end is being written, or was cut off.
  if (!isCutOff(log.subarray(start))) throw damage(start)
  return record && { upload: uploadFrom(record), record, nonces }
}

/** What the JSON of a line makes of a record; `undefined` when nothing can be made of it. */
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
  // JSON may have line separators of Unicode in it.
  const [, revision, nonce = '', text = ''] =
    /^(\d+) (\S+) (.*)$/s.exec(bytes.toString('utf8', 9)) ?? []
  return revision === undefined ? undefined : { revision: Number(revision), nonce, text }
}

/**
 * Whether bytes may be the beginning of a line. A whole line and one byte more is a line whose end has changed, unless
 * that byte is the beginning of the next line, which was cut off as well.
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
