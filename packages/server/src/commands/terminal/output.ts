import { once } from 'node:events'

const closing = new AbortController()

// Without a listener, the error would end the process in the middle of its work.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  closing.abort()
  if (error.code === 'EPIPE') return
  process.stderr.write(`tuskit: The output cannot be written: ${error.message}\n`)
  process.exitCode = 1
})

/** Aborts when nothing reads the output any more, as after `| head`. */
export const outputClosed: AbortSignal = closing.signal

/** Writes a line to standard output, and waits while its reader is slow. */
export async function print(line: string): Promise<void> {
  if (outputClosed.aborted || process.stdout.write(`${line}\n`)) return
  await Promise.race([once(process.stdout, 'drain'), once(outputClosed, 'abort')])
}

/** Writes a line to standard error, for people. */
export function remark(line: string): void {
  process.stderr.write(`${line}\n`)
}
