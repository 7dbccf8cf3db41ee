import { watch } from 'node:fs'

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
