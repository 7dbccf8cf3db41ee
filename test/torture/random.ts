import { createHash } from 'node:crypto'

/** Decisions that follow from a name. The same name gives the same decisions in the same order. */
export class Random {
  readonly #state: Uint32Array

  constructor(...name: readonly (string | number)[]) {
    const digest = createHash('sha256').update(name.join('/')).digest()
    this.#state = Uint32Array.from([0, 4, 8, 12].map((at) => digest.readUInt32LE(at)))
  }

  /** Returns a number from 0 to below 1 (sfc32). */
  next(): number {
    const [a, b, c, d] = this.#state as unknown as [number, number, number, number]
    const sum = (a + b + d) >>> 0
    this.#state[0] = b ^ (b >>> 9)
    this.#state[1] = c + (c << 3)
    this.#state[2] = ((c << 21) | (c >>> 11)) + sum
    this.#state[3] = d + 1
    return sum / 2 ** 32
  }

  /** Returns a whole number, both ends included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]!
  }

  /** Returns the same things in another order. */
  shuffle<T>(things: readonly T[]): T[] {
    const left = [...things]
    return things.map(() => left.splice(this.integer(0, left.length - 1), 1)[0]!)
  }
}
