import type { Http2Session } from 'node:http2'
import type { HttpExchange } from './http-exchange.js'

/** Downloads that one HTTP/2 connection may have open at once. An HTTP/1 connection has one. */
const maximum = 64

/** The downloads of a connection: how many are open, and the callbacks that start waiting ones. */
interface Downloads {
  open: number
  readonly waiting: Set<() => void>
}

const connections = new WeakMap<Http2Session, Downloads>()

/**
 * Waits until a download may open its content.
 *
 * A client that requests thousands of downloads and reads none must not hold a file and buffers for
 * each. A download counts as open until its response is done; those above the limit wait in order.
 */
export async function downloadTurn({ stream, responded }: HttpExchange): Promise<void> {
  const session = stream?.session
  if (session === undefined) return
  const downloads = connections.get(session) ?? { open: 0, waiting: new Set() }
  connections.set(session, downloads)
  if (downloads.open >= maximum) {
    await new Promise<void>((resolve) => {
      downloads.waiting.add(resolve)
      void responded.then(() => {
        downloads.waiting.delete(resolve)
        resolve()
      })
    })
  }
  downloads.open++
  void responded.then(() => {
    downloads.open--
    const [next] = downloads.waiting
    if (next === undefined || downloads.open >= maximum) return
    downloads.waiting.delete(next)
    next()
  })
}
