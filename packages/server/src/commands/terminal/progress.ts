import { MultiBar } from 'cli-progress'
import { countText } from './quantities.js'

/** Milliseconds between two lines where there is no terminal. */
const lineEvery = 5_000

/** Shows how far a long command has come, on standard error. */
export interface Progress {
  /** Counts one more upload. */
  step(): void
  /** Counts the items that pass. */
  through<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, undefined>
  /** Writes a line above the bar. */
  remark(line: string): void
  /** Shows the final state. */
  stop(): void
}

/**
 * Starts to show progress: as a bar on a terminal, otherwise as a line every few seconds.
 *
 * @param total - The number of uploads, if it is known.
 */
export function startProgress(title: string, total?: number): Progress {
  let value = 0
  const show = process.stderr.isTTY ? startBar(title, total) : startLines(title, total)
  const step = () => show.update(++value)
  return {
    step,
    async *through(items) {
      for await (const item of items) {
        step()
        yield item
      }
    },
    remark: (line) => show.remark(line),
    stop: () => show.stop(value),
  }
}

interface Display {
  update(value: number): void
  remark(line: string): void
  stop(value: number): void
}

function startBar(title: string, total: number | undefined): Display {
  const counted = total === undefined ? '{value}' : '{bar} {percentage}% {value} of {total}, {eta}s'
  const bars = new MultiBar({
    format: `${title} ${counted}`,
    stream: process.stderr,
    hideCursor: true,
    barsize: 30,
  })
  const bar = bars.create(Math.max(total ?? 1, 1), 0)
  return {
    update: (value) => bar.update(value),
    remark(line) {
      bars.log(`${line}\n`)
      bars.update()
    },
    stop: () => bars.stop(),
  }
}

function startLines(title: string, total: number | undefined): Display {
  const write = (line: string) => void process.stderr.write(`${line}\n`)
  const ofTotal = total === undefined ? '' : ` of ${countText(total)}`
  let current = 0
  const timer = setInterval(() => write(`${title} ${countText(current)}${ofTotal}`), lineEvery)
  timer.unref()
  return {
    update: (value) => void (current = value),
    remark: write,
    stop(value) {
      clearInterval(timer)
      write(`${title} ${countText(value)}${ofTotal}`)
    },
  }
}
