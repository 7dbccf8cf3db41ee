import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { ensureProgram } from '../../test/house/debian-packages.mjs'
import { identityOf, ServiceProcess } from '../../test/services/service-process.js'
import { freePort } from '../../test/support/free-port.js'

const run = promisify(execFile)
const user = 'postgres'
const versions = '/usr/lib/postgresql'

/** A PostgreSQL of its own, on loopback, with its data in a temporary folder. */
export class Postgres {
  readonly #directory: string
  readonly #programs: string
  /** The same after a restart. */
  readonly port: number
  readonly #settings: readonly string[]
  #server: ServiceProcess

  /** By default, it does not wait for the disk. */
  static async start(settings: readonly string[] = hasty): Promise<Postgres> {
    ensureProgram(`${versions}/*/bin/postgres`, 'postgresql')
    const [version] = readdirSync(versions).sort((a, b) => Number(b) - Number(a))
    const programs = join(versions, version!, 'bin')
    const [directory, port] = [await temporaryFolder('postgres'), await freePort()]
    try {
      const data = join(directory, 'data')
      const args = ['-D', data, '-A', 'trust', '-U', user, '-E', 'UTF8', '--no-sync']
      // As on many systems: another order of texts than that of their bytes.
      await run(join(programs, 'initdb'), [...args, '--locale=C.UTF-8'], {
        ...identityOf(user),
        cwd: directory,
      })
      const server = await startServer(directory, programs, port, settings)
      return new Postgres(directory, programs, port, settings, server)
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      throw error
    }
  }

  private constructor(
    directory: string,
    programs: string,
    port: number,
    settings: readonly string[],
    server: ServiceProcess,
  ) {
    this.#directory = directory
    this.#programs = programs
    this.port = port
    this.#settings = settings
    this.#server = server
  }

  /** Returns the URL of a database. */
  url(database: string, port = this.port): string {
    return `postgres://${user}@127.0.0.1:${port}/${database}`
  }

  /** Creates an empty database, and returns its name. */
  async createDatabase(): Promise<string> {
    const name = `test_${randomUUID().replaceAll('-', '')}`
    await this.query(`CREATE DATABASE ${name}`)
    return name
  }

  /** Runs a statement, and returns the rows. */
  async query(
    text: string,
    { database = user, values = [] }: { database?: string; values?: unknown[] } = {},
  ): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client(this.url(database))
    await client.connect()
    try {
      const { rows } = await client.query<Record<string, unknown>>(text, values)
      return rows
    } finally {
      await client.end()
    }
  }

  /** Makes a database read-only, also for those who are connected. Returns how to end that. */
  async makeReadOnly(database: string): Promise<() => Promise<void>> {
    const alter = `ALTER DATABASE ${database}`
    await this.query(`${alter} SET default_transaction_read_only = on`)
    await this.disconnect(database)
    return async () => {
      await this.query(`${alter} RESET default_transaction_read_only`)
      await this.disconnect(database)
    }
  }

  /** Ends all connections to a database. */
  async disconnect(database: string): Promise<void> {
    const ended = 'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1'
    await this.query(ended, { values: [database] })
  }

  /** Kills it with SIGKILL. */
  async kill(): Promise<void> {
    const children = await this.#children()
    await this.#server.kill()
    signalAll(children, 'SIGKILL')
  }

  /** Starts it again, with the same data. */
  async restart(): Promise<void> {
    await this.kill()
    this.#server = await startServer(this.#directory, this.#programs, this.port, this.#settings)
  }

  /** Stops it with SIGSTOP: it stays connected, and does nothing. */
  async pause(): Promise<void> {
    await this.#server.pause()
    signalAll(await this.#children(), 'SIGSTOP')
  }

  async resume(): Promise<void> {
    signalAll(await this.#children(), 'SIGCONT')
    this.#server.resume()
  }

  /** Kills it, and removes its data. */
  async stop(): Promise<void> {
    await this.kill()
    await rm(this.#directory, { recursive: true, force: true })
  }

  /** Returns the processes that serve connections. Each is in a group of its own. */
  async #children(): Promise<readonly number[]> {
    if (!this.#server.isRunning) return []
    const [parent] = (await readFile(join(this.#directory, 'data/postmaster.pid'), 'utf8')).split(
      '\n',
    )
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    return pids.filter((pid) => parentOf(pid) === parent).map(Number)
  }
}

/** A PgBouncer in front of a server, which gives clients a connection for each transaction. */
export class PgBouncer {
  readonly #directory: string
  readonly #process: ServiceProcess
  readonly port: number

  static async start(server: Postgres): Promise<PgBouncer> {
    ensureProgram('/usr/sbin/pgbouncer', 'pgbouncer')
    const [directory, port] = [await temporaryFolder('pgbouncer'), await freePort()]
    const file = join(directory, 'pgbouncer.ini')
    const lines = [
      '[databases]',
      `* = host=127.0.0.1 port=${server.port} user=${user}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = any',
      'pool_mode = transaction',
    ]
    try {
      await writeFile(file, `${lines.join('\n')}\n`)
      const options = { command: '/usr/sbin/pgbouncer', args: [file], user, ready: /process up/ }
      return new PgBouncer(directory, port, await ServiceProcess.start(options))
    } catch (error) {
      await rm(directory, { recursive: true, force: true })
      throw error
    }
  }

  private constructor(directory: string, port: number, process: ServiceProcess) {
    this.#directory = directory
    this.port = port
    this.#process = process
  }

  async stop(): Promise<void> {
    await this.#process.kill()
    await rm(this.#directory, { recursive: true, force: true })
  }
}

async function temporaryFolder(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `tuskit-${name}-`))
  const { uid, gid } = identityOf(user)
  if (uid !== undefined && gid !== undefined) await chown(directory, uid, gid)
  return directory
}

const hasty = ['fsync=off', 'full_page_writes=off']

function startServer(
  directory: string,
  programs: string,
  port: number,
  settings: readonly string[],
): Promise<ServiceProcess> {
  const all = [...settings, 'shared_buffers=32MB', 'max_connections=300']
  const args = ['-D', join(directory, 'data'), '-h', '127.0.0.1', '-p', `${port}`, '-k', directory]
  return ServiceProcess.start({
    command: join(programs, 'postgres'),
    args: [...args, ...all.flatMap((setting) => ['-c', setting])],
    user,
    ready: /ready to accept connections/,
  })
}

/** Returns the parent of a process, as text. */
function parentOf(pid: string): string | undefined {
  try {
    return /^.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]
  } catch {
    // It has just ended.
    return undefined
  }
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has just ended.
    }
  }
}
