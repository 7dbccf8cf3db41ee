import type { Readable } from 'node:stream'

/** Limits for reading and dropping unwanted bytes. */
export interface DrainLimits {
  readonly bytes: number
  readonly milliseconds: number
  /** Milliseconds without a byte after which draining stops. */
  readonly silence: number
}

/**
 * For clients that write their whole request before they read, as those of Java and Python do.
 * Closing the connection earlier would send a reset, which overtakes the response.
 */
export const patient: DrainLimits = { bytes: 1_073_741_824, milliseconds: 60_000, silence: 5_000 }

/** For clients that read while they write: enough that no reset overtakes the response. */
export const brief: DrainLimits = { bytes: 4_194_304, milliseconds: 2_000, silence: 2_000 }

/** Connections that the process drains patiently at the same time. Others are drained briefly. */
const maxPatient = 100
let patientCount = 0

/**
 * Drains a request by the `patient` limits. Uses the `brief` limits when too many connections are
 * being drained patiently, and from the moment that `hurry` aborts.
 */
export async function drainPatiently(request: Readable, hurry: AbortSignal): Promise<boolean> {
  if (hurry.aborted || patientCount >= maxPatient) return drain(request, brief)
  patientCount++
  try {
    return await drain(request, patient, hurry)
  } finally {
    patientCount--
  }
}

/**
 * Reads and drops bytes until the source ends or a limit is reached. Resolves with whether the
 * source has ended.
 */
export function drain(
  source: Readable,
  { bytes, milliseconds, silence }: DrainLimits,
  hurry?: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    let left = bytes
    let timer = setTimeout(() => done(false), milliseconds)
    const onHurry = () => {
      left = Math.min(left, brief.bytes)
      clearTimeout(timer)
      timer = setTimeout(done, brief.milliseconds, false)
    }
    const onData = (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) done(false)
      else quiet.refresh()
    }
    const done = (ended: boolean) => {
      clearTimeout(timer)
      clearTimeout(quiet)
      hurry?.removeEventListener('abort', onHurry)
      source.off('data', onData).off('end', onEnd).off('close', onEnd)
      if (!ended) source.pause()
      resolve(ended)
    }
    const onEnd = () => done(true)
    const quiet = setTimeout(done, silence, false)
    hurry?.addEventListener('abort', onHurry, { once: true })
    source.on('data', onData).once('end', onEnd).once('close', onEnd)
    source.resume()
  })
}
