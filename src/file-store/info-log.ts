import { randomUUID } from 'node:crypto'
import { crc32 } from 'node:zlib'
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
  const content = `${upload.revision} ${nonce} ${serializeUpload(upload)}`
  const whole = log.length === 0 || log.at(-1) === 0x0a
  return { nonce, bytes: Buffer.from(`${whole ? '' : '~\n'}${checksum(content)} ${content}\n`) }
}

/**
 * Where a log stands: from its first valid line on, for each revision the first valid line that has the next one. So
 * of two lines with the same revision all readers take the same, and the other one never counts.
 */
export function followLog(log: Buffer): LogEnd | undefined {
  const nonces: string[] = []
  let last: { readonly revision: number; readonly json: string } | undefined
  // What follows the last line end is being written, or was cut off.
  for (const line of log.toString().split('\n').slice(0, -1)) {
    const [, sum, content, digits, nonce, json] = format.exec(line) ?? []
    if (content === undefined || nonce === undefined || json === undefined) continue
    const revision = Number(digits)
    if (last !== undefined && revision !== last.revision + 1) continue
    if (sum !== checksum(content)) continue
    last = { revision, json }
    nonces.push(nonce)
  }
  return last && { upload: parseUpload(last.json), nonces }
}

const format = /^([0-9a-f]{8}) ((\d+) (\S+) (.*))$/

function checksum(content: string): string {
  return crc32(content).toString(16).padStart(8, '0')
}
