import { RedisServer } from '../services.js'

/** Servers for cases that run at the same time. Each case has one to itself. */
export class RedisServers {
  readonly #all: RedisServer[] = []
  readonly #free: RedisServer[] = []

  /** Returns an empty server. */
  async take(): Promise<RedisServer> {
    const free = this.#free.pop()
    if (free !== undefined) {
      await free.command('FLUSHALL')
      return free
    }
    const server = await RedisServer.start()
    this.#all.push(server)
    return server
  }

  giveBack(server: RedisServer): void {
    this.#free.push(server)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((server) => server.stop()))
  }
}
