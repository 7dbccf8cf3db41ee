import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Programs } from '../../test/services/programs.js'
import type { ServiceProcess } from '../../test/services/service-process.js'
import { freePort } from '../../test/support/free-port.js'

const programs = new Programs('valkey', { system: 'redis', newer: 'valkey' })
const [server, sentinel, cli] = programs.isNewer
  ? (['valkey-server', 'valkey-sentinel', 'valkey-cli'] as const)
  : (['redis-server', 'redis-server', 'redis-cli'] as const)

/** Settings of Redis, such as `{ maxmemory: '2mb' }`. */
export type RedisSettings = Readonly<Record<string, string>>

/** How long a group may take to find itself. */
const longest = 30_000

/** A Redis or Valkey of its own, on loopback, with its data in a temporary folder. */
export class RedisServer {
  readonly #directory: string
  readonly #settings: RedisSettings
  /** It is the same after a restart. */
  readonly port: number
  #process: ServiceProcess

  /** By default, every change is on the disk before its response. */
  static async start(settings: RedisSettings = {}): Promise<RedisServer> {
    programs.ensure('redis-server')
    const port = await freePort()
    const directory = await programs.temporaryDirectory('tuskit-redis-')
    const all = { port: `${port}`, ...durable, ...settings }
    try {
      return new RedisServer(directory, all, port, await startRedis(directory, all))
    } catch (error) {
      await rm(programs.hostPath(directory), { recursive: true, force: true })
      throw error
    }
  }

  private constructor(
    directory: string,
    settings: RedisSettings,
    port: number,
    process: ServiceProcess,
  ) {
    this.#directory = directory
    this.#settings = settings
    this.port = port
    this.#process = process
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Runs a command with `redis-cli`. Resolves with its output. */
  command(...command: readonly string[]): Promise<string> {
    return commandOn(this.port, ...command)
  }

  /** Kills it with SIGKILL. */
  async kill(): Promise<void> {
    await this.#process.kill()
  }

  /** Starts it again, with the same data. */
  async restart(): Promise<void> {
    await this.#process.kill()
    this.#process = await startRedis(this.#directory, this.#settings)
  }

  /** Stops it with SIGSTOP: it stays connected, and does nothing. */
  async pause(): Promise<void> {
    await this.#process.pause()
  }

  resume(): void {
    this.#process.resume()
  }

  /** Makes it refuse writes, because it has no replica. */
  async makeReadOnly(): Promise<void> {
    await this.command('CONFIG', 'SET', 'min-replicas-to-write', '1')
  }

  async makeWritable(): Promise<void> {
    await this.command('CONFIG', 'SET', 'min-replicas-to-write', '0')
  }

  /** Kills it, and removes its data. */
  async stop(): Promise<void> {
    await this.#process.kill()
    await rm(programs.hostPath(this.#directory), { recursive: true, force: true })
  }
}

/** A master with two replicas, and three sentinels that watch them. */
export class RedisSentinels {
  static readonly group = 'uploads'
  readonly #directory: string
  readonly #sentinels: readonly ServiceProcess[]
  readonly #servers: readonly RedisServer[]
  /** Of the sentinels. */
  readonly ports: readonly number[]

  static async start(): Promise<RedisSentinels> {
    const directory = await programs.temporaryDirectory('tuskit-sentinels-')
    const servers: RedisServer[] = []
    const sentinels: ServiceProcess[] = []
    const ports: number[] = []
    const group = () => new RedisSentinels(directory, servers, sentinels, ports)
    try {
      const master = await RedisServer.start({ 'repl-diskless-sync-delay': '0' })
      servers.push(master)
      const replicaof = `127.0.0.1 ${master.port}`
      for (let count = 0; count < 2; count++) servers.push(await RedisServer.start({ replicaof }))
      for (let count = 0; count < 3; count++) {
        const port = await freePort()
        sentinels.push(await startSentinel(directory, port, master.port))
        ports.push(port)
      }
      const complete = /status=ok.*slaves=2,sentinels=3/
      for (const port of ports) await until(port, complete, 'INFO', 'sentinel')
      return group()
    } catch (error) {
      await group().stop()
      throw error
    }
  }

  private constructor(
    directory: string,
    servers: readonly RedisServer[],
    sentinels: readonly ServiceProcess[],
    ports: readonly number[],
  ) {
    this.#directory = directory
    this.#servers = servers
    this.#sentinels = sentinels
    this.ports = ports
  }

  /** Returns the server that the sentinels call the master. */
  async master(): Promise<RedisServer> {
    const get = ['SENTINEL', 'get-master-addr-by-name', RedisSentinels.group]
    const [, port] = (await commandOn(this.ports[0]!, ...get)).split('\n')
    return this.#servers.find((server) => server.port === Number(port))!
  }

  /** Waits until the replicas have all that the master has. */
  async replicated(): Promise<void> {
    const { port } = await this.master()
    const equal = /slave0:.*offset=(\d+),[^]*slave1:.*offset=\1,[^]*master_repl_offset:\1\b/
    await until(port, equal, 'INFO', 'replication')
  }

  async stop(): Promise<void> {
    await Promise.all(this.#sentinels.map((sentinel) => sentinel.kill()))
    await Promise.all(this.#servers.map((server) => server.stop()))
    await rm(programs.hostPath(this.#directory), { recursive: true, force: true })
  }
}

/** A Cluster of three masters. */
export class RedisCluster {
  readonly servers: readonly RedisServer[]

  static async start(): Promise<RedisCluster> {
    const servers: RedisServer[] = []
    try {
      const buses: number[] = []
      for (let count = 0; count < 3; count++) {
        const bus = await freePort()
        const settings = { 'cluster-enabled': 'yes', 'cluster-port': `${bus}` }
        servers.push(await RedisServer.start({ ...settings, 'cluster-node-timeout': '2000' }))
        buses.push(bus)
      }
      const ranges = ['0 5460', '5461 10922', '10923 16383']
      for (const [index, server] of servers.entries()) {
        await server.command('CLUSTER', 'SET-CONFIG-EPOCH', `${index + 1}`)
        await server.command('CLUSTER', 'ADDSLOTSRANGE', ...ranges[index]!.split(' '))
      }
      for (const [index, { port }] of servers.entries()) {
        await servers[0]!.command('CLUSTER', 'MEET', '127.0.0.1', `${port}`, `${buses[index]}`)
      }
      const complete = /cluster_state:ok[^]*cluster_known_nodes:3\b[^]*cluster_size:3\b/
      for (const { port } of servers) await until(port, complete, 'CLUSTER', 'INFO')
      return new RedisCluster(servers)
    } catch (error) {
      await new RedisCluster(servers).stop()
      throw error
    }
  }

  private constructor(servers: readonly RedisServer[]) {
    this.servers = servers
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()))
  }
}

const durable = { appendonly: 'yes', appendfsync: 'always', save: '' }

function startRedis(directory: string, settings: RedisSettings): Promise<ServiceProcess> {
  const all = { bind: '127.0.0.1', dir: directory, ...settings }
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, ...value.split(' ')])
  return programs.start([server, ...args], /Ready to accept connections/)
}

async function startSentinel(
  directory: string,
  port: number,
  master: number,
): Promise<ServiceProcess> {
  const { group } = RedisSentinels
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${directory}`,
    `sentinel monitor ${group} 127.0.0.1 ${master} 2`,
    `sentinel down-after-milliseconds ${group} 1000`,
    `sentinel failover-timeout ${group} 5000`,
    `sentinel parallel-syncs ${group} 1`,
  ]
  // It writes what it finds out into its configuration.
  const file = join(directory, `${port}.conf`)
  await writeFile(programs.hostPath(file), `${lines.join('\n')}\n`)
  await programs.own(file)
  return programs.start([sentinel, file, '--sentinel'], /\+monitor master/)
}

async function commandOn(port: number, ...command: readonly string[]): Promise<string> {
  return (await programs.run([cli, '-e', '-p', `${port}`, ...command])).trimEnd()
}

/** Waits until a command responds with something. */
async function until(port: number, expected: RegExp, ...command: string[]): Promise<void> {
  const start = performance.now()
  for (;;) {
    const found = await commandOn(port, ...command)
    if (expected.test(found)) return
    if (performance.now() - start > longest) throw new Error(`The group is not ready: ${found}`)
    await sleep(50)
  }
}
