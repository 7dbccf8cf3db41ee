import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection, createPool, type Connection, type Pool } from 'mysql2/promise'
import { ensureProgram } from '../../test/house/debian-packages.mjs'
import { identityOf, ServiceProcess } from '../../test/services/service-process.js'
import { freePort } from '../../test/support/free-port.js'

const user = 'mysql'

/** The user of the stores. Unlike the administrator, it cannot write to a read-only server. */
const account = { user: 'uploads', password: 'p@ss/word' }

/** A MariaDB of its own, on loopback, with its data in a temporary folder. */
export class MariaDb {
  readonly #directory: string
  /** The port. It is the same after a restart. */
  readonly port: number
  #server: ServiceProcess

  static async start(): Promise<MariaDb> {
    ensureProgram('mariadbd', 'mariadb-server')
    const directory = await mkdtemp(join(tmpdir(), 'tuskit-mariadb-'))
    try {
      const { uid, gid } = identityOf(user)
      if (uid !== undefined && gid !== undefined) await chown(directory, uid, gid)
      const data = ['--no-defaults', `--datadir=${join(directory, 'data')}`]
      const options = ['--auth-root-authentication-method=normal', '--skip-test-db']
      const install = [...data, ...options, ...(uid === undefined ? [] : [`--user=${user}`])]
      execFileSync('mariadb-install-db', install, { stdio: ['ignore', 'ignore', 'pipe'] })
      const port = await freePort()
      const service = new MariaDb(directory, port, await startServer(directory, port))
      await service.asRoot(async (connection) => {
        const rights = 'SELECT, INSERT, UPDATE, DELETE, CREATE'
        const { user: name, password } = account
        await connection.query(`GRANT ${rights} ON \`test\_%\`.* TO ? IDENTIFIED BY ?`, [
          name,
          password,
        ])
      })
      return service
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      throw error
    }
  }

  private constructor(directory: string, port: number, server: ServiceProcess) {
    this.#directory = directory
    this.port = port
    this.#server = server
  }

  /** Creates a database, which has nothing in common with others, and returns its name. */
  async createDatabase(): Promise<string> {
    const name = `test_${randomUUID().replaceAll('-', '')}`
    await this.asRoot((connection) => connection.query(`CREATE DATABASE ${name}`))
    return name
  }

  url(database: string, port = this.port): string {
    const password = encodeURIComponent(account.password)
    return `mysql://${account.user}:${password}@127.0.0.1:${port}/${database}`
  }

  pool(database: string, port = this.port): Pool {
    return createPool(this.url(database, port))
  }

  /** Runs statements as the administrator. */
  async asRoot<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = await createConnection({ host: '127.0.0.1', port: this.port, user: 'root' })
    try {
      return await work(connection)
    } finally {
      await connection.end()
    }
  }

  /** Kills the server with SIGKILL. */
  async kill(): Promise<void> {
    await this.#server.kill()
  }

  /** Starts it again, with the same data. */
  async restart(): Promise<void> {
    await this.#server.kill()
    this.#server = await startServer(this.#directory, this.port)
  }

  /** Stops it with SIGSTOP: connections stay, and nothing responds. */
  async pause(): Promise<void> {
    await this.#server.pause()
  }

  resume(): void {
    this.#server.resume()
  }

  /** Kills the server, and removes its data. */
  async stop(): Promise<void> {
    await this.#server.kill()
    await rm(this.#directory, { recursive: true, force: true })
  }
}

function startServer(directory: string, port: number): Promise<ServiceProcess> {
  return ServiceProcess.start({
    command: 'mariadbd',
    args: [
      '--no-defaults',
      `--datadir=${join(directory, 'data')}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      `--socket=${join(directory, 'socket')}`,
      `--pid-file=${join(directory, 'pid')}`,
      '--innodb-buffer-pool-size=32M',
      '--performance-schema=off',
      '--skip-log-bin',
    ],
    user,
    ready: /ready for connections/,
  })
}
