import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { checkOptions, must, type OptionRule } from '../check-options.js'
import { resetSocket } from '../reset-socket.js'

/** Options of {@link TcpProxy.start}. */
export interface TcpProxyOptions {
  /** The port of the server. */
  readonly port: number
  /**
   * The address of the server.
   *
   * @default '127.0.0.1'
   */
  readonly host?: string
  /**
   * The port on which the proxy listens. With 0, the system chooses one.
   *
   * @default 0
   */
  readonly listenPort?: number
  /**
   * The address on which the proxy listens. Another one of the loopback network (on Linux,
   * everything that begins with `127.`) can have the same port as the server, for protocols in
   * which the server names a port, such as FTP.
   *
   * @default '127.0.0.1'
   */
  readonly listenHost?: string
}

/** The way of the bytes: to the server, or to the client. */
export type TcpDirection = 'upstream' | 'downstream'

/**
 * How a connection breaks. `reset`: as when a machine crashes; both sides get an error. `end`: as
 * when the other side closes the connection; bytes that have been read still arrive, and a client
 * that does not know how many to expect takes them for all.
 */
export type TcpBreak = 'reset' | 'end'

/** A connection through the proxy: the socket of the client, and the one to the server. */
type Pair = readonly [client: Socket, server: Socket]

interface PlannedCut {
  /** Bytes that still pass. */
  left: number
  readonly direction: TcpDirection
  readonly how: TcpBreak
  /** Resolves the promise of the caller. */
  readonly settle: () => void
}

/**
 * A TCP proxy that breaks connections on command, for tests of a store that uses the network.
 *
 * Put it between the store and its server, and give the store the address of the proxy. A fault
 * lasts until {@link TcpProxy.restore}. Several can be active at once.
 *
 * @example
 * const proxy = await TcpProxy.start({ port: 21 })
 * const store = new FtpStore({ host: '127.0.0.1', port: proxy.port })
 * const appending = store.append(upload, from, body, options)
 * await proxy.cutAfter(1_000_000, 'upstream')
 * await assert.rejects(appending, { code: 'ERR_STORAGE_UNAVAILABLE' })
 * await proxy.restore()
 */
export class TcpProxy {
  readonly #options: Required<TcpProxyOptions>
  #port: number
  readonly #pairs = new Set<Pair>()
  /** Absent while new connections are refused. */
  #server: Server | undefined
  /** Resolves when the server listens, or will not any more. */
  #listening: Promise<void> | undefined
  #delay = 0
  /** Present while connections are stalled. Ends the stall. */
  #stall: { readonly over: Promise<void>; readonly end: () => void } | undefined
  #cut: PlannedCut | undefined
  #closed = false

  private constructor(options: Required<TcpProxyOptions>) {
    this.#options = options
    this.#port = options.listenPort
  }

  /** Starts a proxy. It accepts connections when the promise resolves. */
  static async start(options: TcpProxyOptions): Promise<TcpProxy> {
    const checked = checkOptions('TcpProxy', options, {
      port: { ...bePort(1), required: true },
      host: must.beText,
      listenPort: bePort(0),
      listenHost: must.beText,
    })
    const defaults = { host: '127.0.0.1', listenPort: 0, listenHost: '127.0.0.1' }
    const proxy = new TcpProxy({ ...defaults, ...checked })
    await proxy.restore()
    return proxy
  }

  /** The port on which the proxy listens. It never changes. */
  get port(): number {
    return this.#port
  }

  /** The number of connections of clients that are open now. */
  get connections(): number {
    return this.#pairs.size
  }

  /** Breaks all connections, and refuses new ones. */
  cut(how: TcpBreak = 'reset'): void {
    checkOptions(argumentsOf('cut'), { how }, { how: beBreak })
    this.refuse()
    for (const pair of this.#pairs) breakOff(pair, how)
    this.#planCut(undefined)
  }

  /**
   * Lets exactly `bytes` more bytes pass in this direction, of all connections together, then cuts
   * as {@link TcpProxy.cut} does. Resolves when it has cut, or when another call has made the plan
   * obsolete.
   */
  async cutAfter(bytes: number, direction: TcpDirection, how: TcpBreak = 'reset'): Promise<void> {
    const given = { bytes, direction, how }
    checkOptions(argumentsOf('cutAfter'), given, {
      bytes: { ...must.beSize, required: true },
      direction: { ...must.beOneOf('upstream', 'downstream'), required: true },
      how: beBreak,
    })
    await new Promise<void>((settle) => this.#planCut({ left: bytes, direction, how, settle }))
  }

  /**
   * Refuses new connections, as when no server is running. Those that are open continue. A
   * {@link TcpProxy.restore} in progress resolves without accepting any.
   */
  refuse(): void {
    this.#server?.close()
    this.#server = undefined
    this.#listening = undefined
  }

  /**
   * Passes nothing on, in either direction, as when the server or a router hangs. Connections stay
   * open, and new ones are accepted. Bytes that have arrived are passed on after
   * {@link TcpProxy.restore}.
   */
  stall(): void {
    if (this.#stall !== undefined) return
    let end!: () => void
    const over = new Promise<void>((resolve) => (end = resolve))
    this.#stall = { over, end }
  }

  /**
   * Passes each piece on only after this many milliseconds. The next piece of the connection waits
   * for it, so this also limits the speed.
   */
  delay(milliseconds: number): void {
    const rule = { ...must.beTimeout, required: true }
    checkOptions(argumentsOf('delay'), { milliseconds }, { milliseconds: rule })
    this.#delay = milliseconds
  }

  /**
   * Ends all faults. New connections are accepted when the promise resolves. Rejects when the port
   * is in use by now; call it again later.
   */
  async restore(): Promise<void> {
    this.#delay = 0
    this.#planCut(undefined)
    this.#endStall()
    if (this.#closed) return
    this.#listening ??= this.#listen()
    await this.#listening
  }

  /** Breaks all connections and stops listening. The proxy cannot be used any more. */
  async close(): Promise<void> {
    this.#closed = true
    const open = [...this.#pairs].flat().filter((socket) => !socket.closed)
    const closed = open.map((socket) => once(socket, 'close'))
    this.cut()
    this.#endStall()
    await Promise.all(closed)
  }

  #planCut(cut: PlannedCut | undefined): void {
    this.#cut?.settle()
    this.#cut = cut
  }

  #endStall(): void {
    this.#stall?.end()
    this.#stall = undefined
  }

  async #listen(): Promise<void> {
    const server = createServer({ allowHalfOpen: true })
    this.#server = server
    this.#serve(server)
    try {
      await listening(server.listen({ host: this.#options.listenHost, port: this.#port }))
      if (server.listening) this.#port = (server.address() as AddressInfo).port
    } catch (error) {
      if (this.#server === server) this.refuse()
      throw error
    }
  }

  #serve(server: Server): void {
    server.on('connection', (client) => {
      const { host, port } = this.#options
      const pair: Pair = [client, connect({ host, port, allowHalfOpen: true })]
      this.#pairs.add(pair)
      for (const socket of pair) {
        socket.setNoDelay(true)
        socket.on('error', () => breakOff(pair, 'reset'))
        socket.on('close', () => {
          if (pair.every(({ closed }) => closed)) this.#pairs.delete(pair)
        })
      }
      this.#pass(pair[0], pair[1], 'upstream')
      this.#pass(pair[1], pair[0], 'downstream')
    })
  }

  /** Passes what comes from one socket on to the other, one piece at a time. */
  #pass(from: Socket, to: Socket, direction: TcpDirection): void {
    const pass = async (piece: Buffer) => {
      if (this.#delay > 0) await setTimeout(this.#delay)
      while (this.#stall !== undefined) await this.#stall.over
      const cut = this.#cut?.direction === direction ? this.#cut : undefined
      const admitted = piece.subarray(0, cut?.left)
      if (cut !== undefined) cut.left -= admitted.length
      // A connection that has been broken takes nothing any more.
      if (to.writable) await new Promise((resolve) => to.write(admitted, resolve))
      if (cut?.left === 0 && cut === this.#cut) this.cut(cut.how)
    }
    let passing = Promise.resolve()
    from.on('data', (piece: Buffer) => {
      from.pause()
      passing = passing.then(() => pass(piece)).then(() => void from.resume())
    })
    from.on('end', () => {
      passing = passing.then(async () => {
        while (this.#stall !== undefined) await this.#stall.over
        if (to.writable) to.end()
      })
    })
  }
}

function bePort(lowest: number): OptionRule {
  return {
    expectation: `a port, a whole number from ${lowest} to 65535`,
    accepts: (v) => Number.isInteger(v) && (v as number) >= lowest && (v as number) <= 65_535,
  }
}

const beBreak = must.beOneOf('reset', 'end')

const argumentsOf = (method: string) => ({ name: `TcpProxy.${method}`, noun: 'argument' })

/** Resolves when the server listens, or has been closed before. */
function listening(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('listening', resolve).once('close', resolve).once('error', reject)
  })
}

function breakOff(pair: Pair, how: TcpBreak): void {
  for (const socket of pair) {
    if (how === 'reset') resetSocket(socket)
    // Bytes that nobody reads would make the system reset the connection.
    else socket.end().resume()
  }
}
