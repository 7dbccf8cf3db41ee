import type { RowDataPacket } from 'mysql2/promise'
import { TcpProxy } from 'tuskit/store-kit'
import type { MysqlServer } from '../services.js'

/** A database of its own, behind a proxy that can break the connections to it. */
export interface Behind {
  readonly service: MysqlServer
  readonly proxy: TcpProxy
  readonly database: string
}

/** Makes a subject of the suite, with a composer of its own. */
export async function behindProxy<Composer>(
  service: MysqlServer,
  compose: (behind: Behind) => Composer,
): Promise<Behind & { composer: Composer; dispose: () => Promise<void> }> {
  const database = await service.createDatabase()
  const proxy = await TcpProxy.start({ port: service.port })
  const behind: Behind = { service, proxy, database }
  return Object.assign(behind, { composer: compose(behind), dispose: () => proxy.close() })
}

/** Returns the URL of the database behind the proxy. */
export function urlOf({ service, proxy, database }: Behind): string {
  return service.url(database, proxy.port)
}

/** An option of the suite: the ways in which the service can fail. */
export const unplug = {
  down({ proxy }: Behind) {
    proxy.cut()
    return () => proxy.restore()
  },
  async gone({ service, database }: Behind) {
    await move(service, database, `${database}_moved`)
    return () => move(service, `${database}_moved`, database)
  },
  refused({ service }: Behind) {
    const setTo = (value: 'ON' | 'OFF') =>
      service.asRoot((connection) => connection.query(`SET GLOBAL read_only = ${value}`))
    return setTo('ON').then(() => () => setTo('OFF'))
  },
  paused({ proxy }: Behind) {
    proxy.stall()
    return () => proxy.restore()
  },
}

/** Renames a database, for which MariaDB has no statement. */
function move(service: MysqlServer, from: string, to: string): Promise<void> {
  return service.asRoot(async (connection) => {
    await connection.query(`CREATE DATABASE ${to}`)
    const [tables] = await connection.query<RowDataPacket[]>(`SHOW TABLES IN ${from}`)
    for (const name of tables.map((row) => String(Object.values(row)[0]))) {
      await connection.query(`RENAME TABLE ${from}.${name} TO ${to}.${name}`)
    }
    await connection.query(`DROP DATABASE ${from}`)
  })
}
