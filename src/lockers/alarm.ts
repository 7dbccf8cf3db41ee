import { untilAborted } from './until-aborted.js'

/** Lets one caller sleep until something changes. */
export class Alarm {
  #changed = false
  #wake = () => {}
  readonly #stop: (() => void) | undefined

  /** @param watch - Starts to report changes. Returns what ends that, or nothing if it cannot. */
  constructor(watch: (wake: () => void) => (() => void) | undefined) {
    this.#stop = watch(() => {
      this.#changed = true
      this.#wake()
    })
  }

  /** Whether something has changed since the last call of {@link Alarm.next}. */
  get changed(): boolean {
    return this.#changed
  }

  /** Resolves at the next change since the last call, or after `atMost` milliseconds. */
  async next(atMost: number, signal: AbortSignal): Promise<void> {
    if (!this.#changed) {
      let timer: NodeJS.Timeout | undefined
      await untilAborted<void>(signal, (resolve) => {
        this.#wake = resolve
        timer = setTimeout(resolve, atMost)
        return () => {}
      }).finally(() => clearTimeout(timer))
    }
    this.#changed = false
  }

  close(): void {
    this.#stop?.()
  }
}
