import { TcpProxy } from 'tuskit/store-kit'
import { planDatabaseFault, type DatabaseFaultPlan } from './plan.js'
import type { Records } from './storage.js'

/** A database that a run has started. */
export interface DatabaseService {
  readonly port: number
  kill(): Promise<void>
  restart(): Promise<void>
  pause(): Promise<void>
  resume(): unknown
  stop(): Promise<void>
}

/** The parts of {@link Database} that depend on which one it is. */
export interface DatabaseParts {
  readonly service: DatabaseService
  /** Returns what a server needs to know to reach the database at a port. */
  readonly describe: (port: number) => object
  readonly ids: () => Promise<ReadonlySet<string>>
}

/** Records and locks in a database. Each server reaches it through a proxy of its own. */
export class Database implements Records {
  readonly #parts: DatabaseParts
  readonly #proxies: readonly TcpProxy[]

  private constructor(parts: DatabaseParts, proxies: readonly TcpProxy[]) {
    this.#parts = parts
    this.#proxies = proxies
  }

  static async over(parts: DatabaseParts, servers: number): Promise<Database> {
    const start = () => TcpProxy.start({ port: parts.service.port })
    return new Database(parts, await Promise.all(Array.from({ length: servers }, start)))
  }

  describe(server: number): object {
    return this.#parts.describe(this.#proxies[server]!.port)
  }

  planFault(seed: number, number: number): DatabaseFaultPlan {
    return planDatabaseFault(seed, number, this.#proxies.length)
  }

  async harm({ kind, server, bytes, direction }: DatabaseFaultPlan): Promise<() => Promise<void>> {
    const { service } = this.#parts
    const proxy = this.#proxies[server]!
    switch (kind) {
      case 'database killed':
        await service.kill()
        return () => service.restart()
      case 'database paused':
        await service.pause()
        return async () => void (await service.resume())
      case 'cut off':
        proxy.cut()
        break
      case 'cut off amid':
        void proxy.cutAfter(bytes, direction)
        break
      case 'cut off silently':
        proxy.stall()
    }
    return () => proxy.restore()
  }

  ids(): Promise<ReadonlySet<string>> {
    return this.#parts.ids()
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.close()))
    await this.#parts.service.stop()
  }
}
