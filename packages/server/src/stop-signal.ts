import cluster from 'node:cluster'

/**
 * Returns a signal that aborts when the program is asked to stop. A second request ends the
 * process at once.
 */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController()
  let first: number | undefined
  const stop = () => {
    // npm passes on a signal that the terminal has already sent, so each may arrive twice. The
    // second may come when everything has been done, so nothing ever removes the listeners.
    if (first !== undefined && performance.now() - first > 500) process.exit(1)
    first ??= performance.now()
    stopping.abort()
  }
  // A terminal interrupts all processes, but it is the first one that stops the others.
  process.on('SIGINT', cluster.isWorker ? () => {} : stop).on('SIGTERM', stop)
  // A process that ends by itself gives signals their usual effect back before it is gone.
  process.on('beforeExit', () => process.exit())
  return stopping.signal
}
