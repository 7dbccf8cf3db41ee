import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** Linux counts the time of processes in hundredths of a second. */
const ticksPerSecond = 100

/**
 * Reads the usage of a process, and the processor time of its children, from `/proc`, the same way
 * for every server.
 */
export class ProcessMeter {
  readonly #pid: number
  readonly #home: string

  constructor(pid: number) {
    this.#pid = pid
    this.#home = `/proc/${pid}`
  }

  /** Returns the processor time of all its threads so far, and of its children. */
  cpuSeconds(): number {
    const children = readFileSync(`${this.#home}/task/${this.#pid}/children`, 'latin1')
    const times = children
      .split(' ')
      .filter(Boolean)
      .map((pid) => secondsOf(`/proc/${pid}`))
    return times.reduce((sum, seconds) => sum + seconds, secondsOf(this.#home))
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

/** Returns the processor time of a process. */
function secondsOf(home: string): number {
  const stat = readFileSync(`${home}/stat`, 'latin1')
  // The name before the last bracket may contain anything. `utime` and `stime` are fields 14 and
  // 15, the state is 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}
