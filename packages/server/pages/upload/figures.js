const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** The period over which the speed is averaged, in milliseconds. */
const period = 3000

/** `1.2 MB` */
export function formatBytes(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1)
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

/** `40 s`, `3 min`, `2 h` */
export function formatSeconds(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  return seconds < 3600 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

/** Measures the recent speed in bytes per second. */
export class Speedometer {
  #samples = []

  note(sent) {
    this.#samples.push({ time: performance.now(), sent })
  }

  read() {
    const now = performance.now()
    this.#samples = this.#samples.filter(({ time }) => now - time < period)
    if (this.#samples.length < 2) return 0
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    return (1000 * (last.sent - first.sent)) / Math.max(now - first.time, 1)
  }

  reset() {
    this.#samples = []
  }
}
