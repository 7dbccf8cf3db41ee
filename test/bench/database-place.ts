import { execFileSync } from 'node:child_process'
import { MysqlServer } from '../../packages/mysql/services.js'
import { Postgres } from '../../packages/postgres/services.js'
import { RedisServer } from '../../packages/redis/services.js'
import { betterSqlite3 } from '../../packages/sqlite/test/better-sqlite3.js'
import { ensureProgram } from '../house/debian-packages.mjs'
import { ProcessMeter } from './process-meter.js'

/** A database that is measured. */
export interface PlacedDatabase {
  readonly url: string
  /** Of its server. */
  readonly meter: ProcessMeter
}

/** Databases for records and locks, which wait for the disk as those of most users do. */
export class DatabasePlace {
  /** By the name of the contestant. */
  readonly databases: Readonly<Record<string, PlacedDatabase>>
  /** The folder of better-sqlite3. */
  readonly sqlite: string
  readonly #services: readonly { stop(): Promise<void> }[]

  static async create(): Promise<DatabasePlace> {
    ensureProgram('ss', 'iproute2')
    const sqlite = await betterSqlite3()
    const redis = await RedisServer.start({ appendfsync: 'everysec' })
    const postgres = await Postgres.start([])
    const mysql = await MysqlServer.start()
    const databases = {
      Redis: { url: redis.url, meter: meterOf(redis.port) },
      PostgreSQL: {
        url: postgres.url(await postgres.createDatabase()),
        meter: meterOf(postgres.port),
      },
      MariaDB: { url: mysql.url(await mysql.createDatabase()), meter: meterOf(mysql.port) },
    }
    return new DatabasePlace(databases, sqlite, [redis, postgres, mysql])
  }

  private constructor(
    databases: Readonly<Record<string, PlacedDatabase>>,
    sqlite: string,
    services: readonly { stop(): Promise<void> }[],
  ) {
    this.databases = databases
    this.sqlite = sqlite
    this.#services = services
  }

  async close(): Promise<void> {
    for (const service of this.#services) await service.stop()
  }
}

/** Returns the meter of the process that listens at a port. */
function meterOf(port: number): ProcessMeter {
  const listening = execFileSync('ss', ['-Hltnp', `sport = :${port}`], { encoding: 'utf8' })
  return new ProcessMeter(Number(/pid=(\d+)/.exec(listening)![1]))
}
