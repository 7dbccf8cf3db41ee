import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createConnection, createPool, type Connection, type Pool } from 'mysql2/promise'
import { Programs } from '../../test/services/programs.js'
import type { ServiceProcess } from '../../test/services/service-process.js'
import { freePort } from '../../test/support/free-port.js'

/** MariaDB, or the newer MySQL. Its package creates no user. */
const programs = new Programs('mysql', { system: 'mysql', newer: 'nobody' })

/** The user of the stores. Unlike the administrator, it cannot write to a read-only server. */
const account = { user: 'uploads', password: 'p@ss/word' }

/** A MariaDB or MySQL of its own, on loopback, with its data in a temporary folder. */
export class MysqlServer {
  readonly #directory: string
  /** The port. It is the same after a restart. */
  readonly port: number
  #server: ServiceProcess

  static async start(): Promise<MysqlServer> {
    programs.ensure('mariadbd', 'mariadb-server')
    const directory = await programs.temporaryDirectory('tuskit-mysql-')
    try {
      await programs.run(installation(directory))
      const port = await freePort()
      const service = new MysqlServer(directory, port, await startServer(directory, port))
      await service.asRoot(async (connection) => {
        const rights = 'SELECT, INSERT, UPDATE, DELETE, CREATE'
        const { user: name, password } = account
        await connection.query('CREATE USER ? IDENTIFIED BY ?', [name, password])
        await connection.query(`GRANT ${rights} ON \`test\_%\`.* TO ?`, [name])
      })
      return service
    } catch (error) {
      await rm(programs.hostPath(directory), { recursive: true, force: true })
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
    await rm(programs.hostPath(this.#directory), { recursive: true, force: true })
  }
}

/** Returns the command that creates an empty database with an administrator without password. */
function installation(directory: string): [string, ...string[]] {
  const data = ['--no-defaults', `--datadir=${join(directory, 'data')}`]
  if (programs.isNewer) return ['mysqld', ...data, '--initialize-insecure']
  const options = ['--auth-root-authentication-method=normal', '--skip-test-db']
  return ['mariadb-install-db', ...data, ...options]
}

function startServer(directory: string, port: number): Promise<ServiceProcess> {
  const options = [
    '--no-defaults',
    `--datadir=${join(directory, 'data')}`,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    `--socket=${join(directory, 'socket')}`,
    `--pid-file=${join(directory, 'pid')}`,
    '--innodb-buffer-pool-size=32M',
    '--performance-schema=off',
    '--skip-log-bin',
    // MySQL needs this folder, and otherwise has a port of its own for another protocol.
    `--secure-file-priv=${directory}`,
    '--loose-mysqlx=off',
  ]
  const program = programs.isNewer ? 'mysqld' : 'mariadbd'
  return programs.start([program, ...options], /ready for connections/)
}
