import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureProgram } from '../../test/house/debian-packages.mjs'
import { identityOf, ServiceProcess } from '../../test/services/service-process.js'
import { freePort } from '../../test/support/free-port.js'

const run = promisify(execFile)
const user = 'rabbitmq'

/** A RabbitMQ of its own, on loopback, with its data in a temporary folder. */
export class RabbitMq {
  readonly #directory: string
  readonly #environment: NodeJS.ProcessEnv
  /** The port of AMQP. It is the same after a restart. */
  readonly port: number
  readonly #names: ServiceProcess
  #broker: ServiceProcess

  static async start(): Promise<RabbitMq> {
    ensureProgram('rabbitmqctl', 'rabbitmq-server')
    const directory = await mkdtemp(join(tmpdir(), 'tuskit-rabbitmq-'))
    const { uid, gid } = identityOf(user)
    if (uid !== undefined && gid !== undefined) await chown(directory, uid, gid)
    const [port, distribution, epmd] = [await freePort(), await freePort(), await freePort()]
    const configuration = [
      `listeners.tcp.1 = 127.0.0.1:${port}`,
      'vm_memory_high_watermark.absolute = 512MB',
      'disk_free_limit.absolute = 50MB',
    ]
    await writeFile(join(directory, 'rabbitmq.conf'), `${configuration.join('\n')}\n`)
    await writeFile(join(directory, 'plugins'), '[].')
    const environment = {
      PATH: process.env.PATH,
      HOME: directory,
      RABBITMQ_NODENAME: `tuskit${port}@localhost`,
      RABBITMQ_DIST_PORT: `${distribution}`,
      ERL_EPMD_PORT: `${epmd}`,
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_MNESIA_BASE: join(directory, 'data'),
      RABBITMQ_LOG_BASE: join(directory, 'log'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'plugins'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    }
    try {
      // Otherwise the broker starts it as a daemon, which outlives it.
      const names = await ServiceProcess.start({ command: 'epmd', environment, user })
      try {
        const broker = await startBroker(environment)
        return new RabbitMq(directory, environment, port, names, broker)
      } catch (error) {
        await names.kill()
        throw error
      }
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      throw error
    }
  }

  private constructor(
    directory: string,
    environment: NodeJS.ProcessEnv,
    port: number,
    names: ServiceProcess,
    broker: ServiceProcess,
  ) {
    this.#directory = directory
    this.#environment = environment
    this.port = port
    this.#names = names
    this.#broker = broker
  }

  /** Creates a virtual host, which has nothing in common with others, and returns its URL. */
  async createHost(): Promise<string> {
    const name = randomUUID()
    await this.control('add_vhost', name)
    await this.control('set_permissions', '-p', name, 'guest', '.*', '.*', '.*')
    return `${this.url}/${name}`
  }

  get url(): string {
    return `amqp://127.0.0.1:${this.port}`
  }

  /** Runs `rabbitmqctl`. Resolves with its output. */
  async control(...args: readonly string[]): Promise<string> {
    const options = { env: this.#environment, ...identityOf(user) }
    const { stdout } = await run('/usr/lib/rabbitmq/bin/rabbitmqctl', ['-q', ...args], options)
    return stdout
  }

  /** Kills the broker with SIGKILL. */
  async kill(): Promise<void> {
    await this.#broker.kill()
  }

  /** Starts it again, with the same data. */
  async restart(): Promise<void> {
    await this.#broker.kill()
    this.#broker = await startBroker(this.#environment)
  }

  /** Stops it with SIGSTOP: it stays connected, and does nothing. */
  async pause(): Promise<void> {
    await this.#broker.pause()
  }

  resume(): void {
    this.#broker.resume()
  }

  /** Kills the broker, and removes its data. */
  async stop(): Promise<void> {
    await this.#broker.kill()
    await this.#names.kill()
    await rm(this.#directory, { recursive: true, force: true })
  }
}

function startBroker(environment: NodeJS.ProcessEnv): Promise<ServiceProcess> {
  return ServiceProcess.start({
    command: '/usr/lib/rabbitmq/bin/rabbitmq-server',
    environment,
    user,
    ready: /Server startup complete|completed with \d+ plugins/,
  })
}
