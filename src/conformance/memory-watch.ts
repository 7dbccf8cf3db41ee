import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { turns } from './gate.js'

/** Watches how much memory is held, garbage not included. */
export class MemoryWatch {
  readonly #before: number
  #most = 0

  private constructor(before: number) {
    this.#before = before
  }

  static async begin(): Promise<MemoryWatch> {
    return new MemoryWatch(await memoryInUse())
  }

  async look(): Promise<void> {
    this.#most = Math.max(this.#most, (await memoryInUse()) - this.#before)
  }

  assertWithin(limit: number): void {
    assert.ok(this.#most <= limit, `At most ${limit} bytes of memory are held, not ${this.#most}`)
  }
}

let collect: (() => void) | undefined

async function memoryInUse(): Promise<number> {
  collect ??= collector()
  // Twice: what the first round finalizes, the second one counts no more.
  for (let round = 0; round < 2; round++) {
    await turns(2)
    collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
