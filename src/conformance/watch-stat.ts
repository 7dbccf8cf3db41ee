import assert from 'node:assert/strict'
import { started, turns } from './gate.js'
import type { TrialUpload } from './trial-upload.js'

/** A reader that asks `stat` all the time. */
export interface StatWatch {
  /** Resolves when an answer came to a question that is asked from now on. */
  next(): Promise<void>
  /** From now on no answer may be lower. */
  atLeast(offset: number): void
  /** Asks until `work` has settled, whose result it is. No answer may be higher than `most` says after it. */
  during<T>(work: Promise<T>, most: () => number): Promise<T>
}

export function watchStat(upload: TrialUpload): StatWatch {
  let low = 0
  let answers = 0
  let working = true
  return {
    async next() {
      const wanted = answers + 2
      while (working && answers < wanted) await turns(1)
    },
    atLeast(offset) {
      low = offset
    },
    async during(work, most) {
      const stop = () => void (working = false)
      started(work).then(stop, stop)
      try {
        while (working) {
          const least = low
          const { offset } = await upload.stat()
          assert.ok(offset >= least, `stat says ${offset} after ${least} was announced or told`)
          assert.ok(offset <= most(), `stat says ${offset}, but only ${most()} can count`)
          low = Math.max(low, offset)
          answers++
          await turns(1)
        }
      } finally {
        // A failure here must not leave the body waiting for answers.
        working = false
      }
      return work
    },
  }
}
