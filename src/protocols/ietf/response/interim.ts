import { sendInterim } from '../../../http/interim.js'
import type { HttpExchange } from '../../../http/http-exchange.js'
import type { ProtocolContext } from '../../context.js'
import type { Dialect } from '../dialect.js'

/** Upload Resumption Supported. */
const status = 104

/**
 * Progress is reported each time this many more bytes are stored, so that clients need not read
 * long heads.
 */
const progressStep = 1_048_576

/**
 * Sends a `104` where the client and the operator allow it (IETF draft, Draft Version
 * Identification).
 */
export function sendResumption(
  { interimResponses }: ProtocolContext,
  exchange: HttpExchange,
  { interopVersion }: Dialect,
  headers: Readonly<Record<string, string>>,
): void {
  if (!interimResponses || interopVersion === undefined) return
  const version = String(interopVersion)
  sendInterim(exchange, status, { 'upload-draft-interop-version': version, ...headers })
}

/**
 * Returns a function that reports progress to the client at intervals, beginning at the offset
 * `from`.
 */
export function progressReporter(
  context: ProtocolContext,
  exchange: HttpExchange,
  dialect: Dialect,
  from: number,
): { readonly onProgress?: (offset: number) => void } {
  if (!context.interimResponses || !dialect.tellsProgress) return {}
  const { progressInterval } = context.engine.settings
  let told = from
  let toldAt = performance.now()
  return {
    onProgress(offset) {
      const now = performance.now()
      if (offset - told < progressStep || now - toldAt < progressInterval) return
      told = offset
      toldAt = now
      sendResumption(context, exchange, dialect, { 'upload-offset': String(offset) })
    },
  }
}
