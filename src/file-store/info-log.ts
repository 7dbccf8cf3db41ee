import { randomUUID } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { TusError } from '../errors.js'
import { parseUpload, serializeUpload } from '../upload.js'
import type { Upload } from '../upload.js'

/** What the log of one record says. */
export interface LogEnd {
  readonly upload: Upload
  /** The nonces of the lines that count, in order. */
  readonly nonces: readonly string[]
}

/** A line to be appended. */
export interface LogLine {
  readonly nonce: string
  readonly bytes: Buffer
  /** The record in it. */
  readonly json: string
}

/**
 * The line for a state of a record, to be appended to `log`: checksum, revision, nonce, and the record as JSON, which
 * has no line ends.
 *
 * When the log ends in a line that was cut off, that one is spoiled before it is ended, so that it never becomes a
 * valid one: its writer was told of the failure.
 */
export function logLine(upload: Upload, log: Buffer): LogLine {
  const nonce = randomUUID()
  const json = serializeUpload(upload)
  const content = `${upload.revision} ${nonce} ${json}`
  const whole = log.length === 0 || log.at(-1) === 0x0a
  return {
    nonce,
    json,
    bytes: Buffer.from(`${whole ? '' : `${spoiled}\n`}${checksum(content)} ${content}\n`),
  }
}

/**
 * Where a log stands: from its first valid line on, for each revision the first valid line that has the next one. So
 * of two lines with the same revision all readers take the same, and the other one never counts.
 *
 * Throws `ERR_INFO_CORRUPT` when there is none, but a line that was written whole: then there was a record.
 */
export function followLog(log: Buffer): LogEnd | undefined {
  const nonces: string[] = []
  let last: ValidLine | undefined
  let damaged = false
  // What follows the last line end is being written, or was cut off.
  for (const line of log.toString().split('\n').slice(0, -1)) {
    const found = validLine(line)
    if (found === undefined) damaged ||= !line.endsWith(spoiled)
    else if (last === undefined || found.revision === last.revision + 1) {
      last = found
      nonces.push(found.nonce)
    }
  }
  if (last === undefined && damaged) throw new TusError('ERR_INFO_CORRUPT')
  return last && { upload: parseUpload(last.json), nonces }
}

interface ValidLine {
  readonly revision: number
  readonly nonce: string
  readonly json: string
}

/** How a line that was cut off is ended. */
const spoiled = '~'

function validLine(line: string): ValidLine | undefined {
  const format = /^([0-9a-f]{8}) ((\d+) (\S+) (.*))$/
  const [, sum, content = '', revision, nonce = '', json = ''] = format.exec(line) ?? []
  return sum === checksum(content) ? { revision: Number(revision), nonce, json } : undefined
}

function checksum(content: string): string {
  return crc32(content).toString(16).padStart(8, '0')
}
