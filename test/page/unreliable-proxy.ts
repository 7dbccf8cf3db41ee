import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A connection between browser and server that breaks when the test says so. */
export interface UnreliableProxy {
  readonly origin: string
  /**
   * Lets each connection carry this many more bytes to the server and then holds it, without
   * closing it. Resolves when `count` connections are held.
   */
  holdAfter(bytes: number, count?: number): Promise<void>
  /** Releases all connections. */
  flow(): void
  /** Resets all connections, or those that are held, on both sides. */
  cut(which: 'all' | 'held'): void
  /** Whether new connections are reset. */
  refusing: boolean
}

interface Pair {
  readonly near: Socket
  readonly far: Socket
  carried: number
  held: boolean
}

/** Starts a TCP proxy in front of the server at `port`, and closes it when the test ends. */
export async function startProxy(port: number): Promise<UnreliableProxy> {
  const pairs = new Set<Pair>()
  let limit = Infinity
  let noteHeld = () => {}

  const server = createServer((near) => {
    if (proxy.refusing) {
      near.on('error', () => {})
      near.resetAndDestroy()
      return
    }
    const pair: Pair = { near, far: connect(port, '127.0.0.1'), carried: 0, held: false }
    pairs.add(pair)
    near.on('data', (bytes) => carry(pair, bytes))
    near.on('end', () => pair.far.end())
    pair.far.on('drain', () => pair.held || near.resume())
    pair.far.pipe(near)
    for (const socket of [near, pair.far]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        pairs.delete(pair)
        near.destroy()
        pair.far.destroy()
      })
    }
  })

  function carry(pair: Pair, bytes: Buffer): void {
    const room = limit - pair.carried
    pair.carried += Math.min(room, bytes.length)
    const more = room > 0 ? pair.far.write(bytes.subarray(0, room)) : true
    if (!more || bytes.length >= room) pair.near.pause()
    if (bytes.length < room) return
    pair.held = true
    pair.near.unshift(bytes.subarray(room))
    noteHeld()
  }

  const proxy: UnreliableProxy = {
    get origin() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
    refusing: false,
    holdAfter(bytes, count = 1) {
      limit = bytes
      for (const pair of pairs) pair.carried = 0
      return new Promise((resolve) => {
        noteHeld = () => {
          if ([...pairs].filter(({ held }) => held).length >= count) resolve()
        }
      })
    },
    flow() {
      limit = Infinity
      for (const pair of pairs) {
        pair.held = false
        pair.near.resume()
      }
    },
    cut(which) {
      for (const { near, far, held } of pairs) {
        if (which === 'held' && !held) continue
        near.resetAndDestroy()
        far.resetAndDestroy()
      }
    },
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    const closed = once(server, 'close')
    server.close()
    for (const { near } of pairs) near.destroy()
    await closed
  })
  return proxy
}
