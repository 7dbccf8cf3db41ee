import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Content, Slice } from './content.js'
import type { Contestant } from './contestants.js'
import { RunningServer } from './running-server.js'
import type { Sizes } from './sizes.js'
import { TusClient } from './tus-client.js'

/** One server during one workload. */
export class Stage {
  readonly contestant: Contestant
  readonly content: Content
  readonly sizes: Sizes
  readonly #directory: string
  readonly #servers: RunningServer[] = []
  readonly #clients = new Set<TusClient>()

  constructor(contestant: Contestant, content: Content, sizes: Sizes, directory: string) {
    this.contestant = contestant
    this.content = content
    this.sizes = sizes
    this.#directory = directory
  }

  /** Starts a process of the server, with a folder of its own. */
  async start(): Promise<RunningServer> {
    const folder = await mkdtemp(join(this.#directory, `${this.contestant.name}-`))
    const server = await RunningServer.start(this.contestant, folder)
    this.#servers.push(server)
    return server
  }

  /** Opens a connection to a server that lasts until the workload is over. */
  async connect(server: RunningServer): Promise<TusClient> {
    const client = await TusClient.open(server.port)
    this.#clients.add(client)
    return client
  }

  /** Runs `work` with connections to a server, and closes them afterwards. */
  async connected<Result>(
    server: RunningServer,
    count: number,
    use: (clients: readonly TusClient[]) => Promise<Result>,
  ): Promise<Result> {
    const clients: TusClient[] = []
    try {
      for (let i = 0; i < count; i++) {
        clients.push(await this.connect(server))
      }
      return await use(clients)
    } finally {
      for (const client of clients) {
        client.close()
        this.#clients.delete(client)
      }
    }
  }

  /**
   * Compares a stored upload with a slice of the content, and removes it at once, since large files
   * keep the disk busy.
   */
  async verifyAndRemove(server: RunningServer, path: string, slice: Slice): Promise<void> {
    await this.content.verify(server.fileOf(path), slice)
    await rm(server.fileOf(path))
  }

  /** Describes how processes ended that should still run. */
  endings(): string[] {
    return this.#servers.flatMap((server) => server.ending() ?? [])
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close()
    for (const server of this.#servers) await server.stop()
  }
}
