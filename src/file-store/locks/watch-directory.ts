import { watch } from 'node:fs'
import { untilAborted } from '../../memory-store/until-aborted.js'

/**
 * Calls `onChange` when something changes in a directory, on platforms that report it. Returns a
 * function that stops watching. Unless `persistent`, it does not keep the process alive.
 */
export function watchDirectory(
  path: string,
  persistent: boolean,
  onChange: (name: string | null) => void,
): () => void {
  try {
    const watcher = watch(path, { persistent }, (_, name) => onChange(name))
    // Some platforms report an error when the directory is removed. All callers also poll.
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return () => {}
  }
}

/** Lets one caller sleep until something changes in a directory. */
export class DirectoryAlarm {
  #changed = false
  #wake = () => {}
  readonly #stop: () => void

  constructor(path: string) {
    this.#stop = watchDirectory(path, true, () => {
      this.#changed = true
      this.#wake()
    })
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
    this.#stop()
  }
}
