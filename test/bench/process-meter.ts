import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** Linux counts the time of processes in hundredths of a second. */
const ticksPerSecond = 100

/** Reads the usage of a process from `/proc`, the same way for every server. */
export class ProcessMeter {
  readonly #home: string

  constructor(pid: number) {
    this.#home = `/proc/${pid}`
  }

  /** Returns the processor time of all its threads so far. */
  cpuSeconds(): number {
    const stat = readFileSync(`${this.#home}/stat`, 'latin1')
    // The name before the last bracket may contain anything. `utime` and `stime` are fields 14 and
    // 15, the state is 3.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }

  /** Resets the peak to the memory that is resident now. */
  resetPeak(): void {
    writeFileSync(`${this.#home}/clear_refs`, '5')
  }

  peakBytes(): number {
    return this.#memory('VmHWM')
  }

  residentBytes(): number {
    return this.#memory('VmRSS')
  }

  /** Returns the number of open descriptors. */
  descriptors(): number {
    return readdirSync(`${this.#home}/fd`).length
  }

  #memory(name: string): number {
    const status = readFileSync(`${this.#home}/status`, 'latin1')
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)![1]) * 1024
  }
}
