import { createPool } from 'mysql2/promise'
import type { ComposerPart } from 'tuskit'
import { MysqlInfoStore } from './mysql-info-store.js'
import { MysqlLocker } from './mysql-locker.js'
import type { MysqlPartOptions } from './shared-options.js'

/** The options after the question mark. The others belong to mysql2. */
const known = ['table-prefix', 'schema', 'lease', 'poll-interval']

/**
 * Makes parts from URLs such as `mysql://user:password@localhost/uploads`. Without a password in
 * the URL, that in `MYSQL_PWD` counts.
 */
export const plugin = {
  info: { mysql: infoFromUrl, mariadb: infoFromUrl },
  locks: { mysql: locksFromUrl, mariadb: locksFromUrl },
}

function infoFromUrl(url: string): ComposerPart {
  const { shared } = parse(url)
  return withPool(url, (pool) => new MysqlInfoStore({ ...shared, pool }))
}

function locksFromUrl(url: string): ComposerPart {
  const { shared, lease, pollInterval } = parse(url)
  const times = { ...(lease && { lease }), ...(pollInterval && { pollInterval }) }
  return withPool(url, (pool) => new MysqlLocker({ ...shared, ...times, pool }))
}

/** Makes a part with a pool that ends when the part is closed. */
function withPool(
  href: string,
  make: (pool: MysqlPartOptions['pool']) => ComposerPart,
): ComposerPart {
  const url = new URL(href)
  for (const name of known) url.searchParams.delete(name)
  if (url.password === '') url.password = process.env.MYSQL_PWD ?? ''
  const pool = createPool(url.href)
  const part = make(pool)
  return {
    useIn(composer) {
      composer.use(part)
      composer.useLifecycle({ open: async () => {}, close: () => pool.end() })
    },
  }
}

function parse(href: string) {
  const { hostname, pathname, searchParams: options } = new URL(href)
  if (hostname === '') throw new Error('the name of a host must follow mysql://')
  if (pathname.length < 2) throw new Error('the name of a database must follow the host')
  // mysql2 would ignore the option, and the wrong tables would be used.
  for (const name of options.keys()) {
    const meant = known.find((own) => lettersOf(own) === lettersOf(name))
    if (meant !== undefined && meant !== name) throw new Error(`${name} must be written ${meant}`)
  }
  const schema = options.get('schema')
  const tablePrefix = options.get('table-prefix')
  const number = (name: string) => {
    const digits = options.get(name)
    if (digits === null) return undefined
    if (/^\d+$/.test(digits)) return Number(digits)
    throw new Error(`${name} must be a whole number, not '${digits}'`)
  }
  return {
    shared: {
      ...(tablePrefix !== null && { tablePrefix }),
      ...(schema !== null && { schema: schema as NonNullable<MysqlPartOptions['schema']> }),
    },
    lease: number('lease'),
    pollInterval: number('poll-interval'),
  }
}

function lettersOf(name: string): string {
  return name.replace(/[-_]/g, '').toLowerCase()
}
