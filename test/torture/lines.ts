import { TcpProxy } from 'tuskit/store-kit'
import type { Network } from './networks.js'
import type { LineFaultPlan } from './plan.js'

/** The ways from all servers to a service on this machine. Each server has its own. */
export class Lines {
  readonly #network: Network
  readonly #proxies: readonly TcpProxy[]

  private constructor(network: Network, proxies: readonly TcpProxy[]) {
    this.#network = network
    this.#proxies = proxies
  }

  static async open(port: number, network: Network, servers: number): Promise<Lines> {
    const start = () => TcpProxy.start({ port, listenHost: network.host })
    return new Lines(network, await Promise.all(Array.from({ length: servers }, start)))
  }

  /** The number of servers. */
  get count(): number {
    return this.#proxies.length
  }

  /** Returns the host and port at which a server finds the service. */
  to(server: number): string {
    return `${this.#network.host}:${this.#proxies[server]!.port}`
  }

  /** Begins a fault. Returns the function that ends it. */
  async harm({ kind, server, bytes, direction }: LineFaultPlan): Promise<() => Promise<void>> {
    if (kind === 'unplugged') return this.#network.unplug(server)
    const proxy = this.#proxies[server]!
    if (kind === 'cut off') proxy.cut()
    else void proxy.cutAfter(bytes, direction)
    return () => proxy.restore()
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()))
  }
}
