import cluster from 'node:cluster'

/**
 * Returns a signal that aborts when the program is asked to stop. A second request ends the
 * process at once.
 */
export function stopSignal(): { readonly signal: AbortSignal; release(): void } {
  const stopping = new AbortController()
  let first: number | undefined
  const stop = () => {
    // npm passes on a signal that the terminal has already sent, so each may arrive twice.
    if (first !== undefined && performance.now() - first > 500) process.exit(1)
    first ??= performance.now()
    stopping.abort()
  }
  // A terminal interrupts all processes, but it is the first one that stops the others.
  process.on('SIGINT', cluster.isWorker ? () => {} : stop).on('SIGTERM', stop)
  const release = () => void process.off('SIGINT', stop).off('SIGTERM', stop)
  return { signal: stopping.signal, release }
}
