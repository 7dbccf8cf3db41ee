import type { Readable } from 'node:stream'

/** How long bytes that nobody wants are read and dropped. */
export interface DrainLimits {
  readonly bytes: number
  readonly milliseconds: number
  /** Milliseconds without a byte. */
  readonly silence: number
}

/**
 * For a client that writes its whole request before it reads, as those of Java and Python do: closing the connection
 * earlier sends a reset, which overtakes the response.
 */
export const patient: DrainLimits = { bytes: 1_073_741_824, milliseconds: 60_000, silence: 5_000 }

/** For a client that reads while it writes: enough that a reset does not overtake the response. */
export const brief: DrainLimits = { bytes: 4_194_304, milliseconds: 2_000, silence: 2_000 }

/** Connections of this process that are drained patiently at the same time; more are drained briefly. */
const maxPatient = 100
let patientCount = 0

/**
 * Drains a request by the `patient` limits, while there are not too many of them. By the `brief` ones otherwise, and as
 * soon as `hurry` aborts.
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

/** Reads and drops bytes until they end or a limit is reached. Resolves with whether they have ended. */
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
