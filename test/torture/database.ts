import { Lines } from './lines.js'
import type { Network } from './networks.js'
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
  /** Returns what a server needs to know to reach the database at a host and port. */
  readonly describe: (at: string) => object
  readonly ids: () => Promise<ReadonlySet<string>>
}

/** Records and locks in a database. */
export class Database implements Records {
  readonly #parts: DatabaseParts
  readonly #lines: Lines

  private constructor(parts: DatabaseParts, lines: Lines) {
    this.#parts = parts
    this.#lines = lines
  }

  static async over(parts: DatabaseParts, network: Network, servers: number): Promise<Database> {
    return new Database(parts, await Lines.open(parts.service.port, network, servers))
  }

  describe(server: number): object {
    return this.#parts.describe(this.#lines.to(server))
  }

  planFault(seed: number, number: number): DatabaseFaultPlan {
    return planDatabaseFault(seed, number, this.#lines.count)
  }

  async harm(fault: DatabaseFaultPlan): Promise<() => Promise<void>> {
    const { service } = this.#parts
    switch (fault.kind) {
      case 'database killed':
        await service.kill()
        return () => service.restart()
      case 'database paused':
        await service.pause()
        return async () => void (await service.resume())
      default:
        return this.#lines.harm(fault)
    }
  }

  ids(): Promise<ReadonlySet<string>> {
    return this.#parts.ids()
  }

  async close(): Promise<void> {
    await this.#lines.close()
    await this.#parts.service.stop()
  }
}
