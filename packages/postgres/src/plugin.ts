import pg from 'pg'
import type { ComposerPart, Lifecycle } from 'tuskit'
import { PostgresInfoStore } from './postgres-info-store.js'
import { PostgresLocker } from './postgres-locker.js'
import type { PostgresPartOptions } from './shared-options.js'

/** The options after the question mark. Records and locks of a database can have the same URL. */
const known = [
  ...['table-prefix', 'schema', 'max-connections'],
  ...['lease', 'poll-interval', 'notifications', 'listener'],
]

/** The options that belong to pg. */
const ofClient = [
  ...['host', 'port', 'sslmode', 'sslcert', 'sslkey', 'sslrootcert', 'sslnegotiation'],
  ...['application_name', 'options', 'statement_timeout', 'lock_timeout'],
]

/**
 * Makes parts from URLs such as `postgres://user@host/database`. The password may also come from
 * the environment, as `PGPASSWORD`.
 */
export const plugin = {
  info: { postgres: infoFromUrl, postgresql: infoFromUrl },
  locks: { postgres: locksFromUrl, postgresql: locksFromUrl },
}

/** The open pools of this process, by their URLs: records and locks share one. */
const pools = new Map<string, { readonly pool: pg.Pool; readonly lifecycle: Lifecycle }>()

function infoFromUrl(url: string): ComposerPart {
  const { shared, lifecycle } = parse(url)
  const store = new PostgresInfoStore(shared)
  return { useIn: (composer) => composer.use(store).useLifecycle(lifecycle) }
}

function locksFromUrl(url: string): ComposerPart {
  const { shared, lifecycle, text, number } = parse(url)
  const listener = text('listener')
  const locker = new PostgresLocker({
    ...shared,
    ...given({ lease: number('lease'), pollInterval: number('poll-interval') }),
    notifications: oneOf(['yes', 'no'], 'notifications', text('notifications')) !== 'no',
    ...(listener !== undefined && { listener: () => new pg.Client(settingsOf(listener)) }),
  })
  return { useIn: (composer) => composer.use(locker).useLifecycle(lifecycle) }
}

/** Reads a URL, and refuses options that are not known. */
function parse(href: string) {
  const url = new URL(href)
  const options = new URLSearchParams(url.searchParams)
  const all = [...known, ...ofClient]
  const unknown = [...options.keys()].find((name) => !all.includes(name))
  if (unknown !== undefined) {
    throw new Error(`there is no option ${unknown}, only ${all.join(', ')}`)
  }
  for (const name of known) url.searchParams.delete(name)
  const text = (name: string) => options.get(name) ?? undefined
  const number = (name: string) => {
    const digits = text(name)
    if (digits === undefined) return undefined
    if (/^\d+$/.test(digits)) return Number(digits)
    throw new Error(`${name} must be a whole number, not '${digits}'`)
  }
  const { pool, lifecycle } = poolOf(url.href, number('max-connections'))
  const shared: PostgresPartOptions = {
    pool,
    ...given({
      tablePrefix: text('table-prefix'),
      schema: oneOf(['ensure', 'check'] as const, 'schema', text('schema')),
    }),
  }
  return { shared, lifecycle, text, number }
}

function poolOf(url: string, max = 10) {
  const key = `${max} ${url}`
  const known = pools.get(key)
  if (known !== undefined) return known
  const pool = new pg.Pool({ ...settingsOf(url), max })
  const lifecycle: Lifecycle = {
    async open() {},
    async close() {
      pools.delete(key)
      // It ends when the locker has given its connection back, which may come later.
      void pool.end()
    },
  }
  pools.set(key, { pool, lifecycle })
  return { pool, lifecycle }
}

function settingsOf(url: string): pg.ClientConfig {
  return { connectionString: url, connectionTimeoutMillis: 5_000, keepAlive: true }
}

function oneOf<T extends string>(
  choices: readonly T[],
  name: string,
  value: string | undefined,
): T | undefined {
  const found = choices.find((choice) => choice === value)
  if (value === undefined || found !== undefined) return found
  throw new Error(`${name} must be ${choices.join(' or ')}, not '${value}'`)
}

/** Returns an object without the members that are `undefined`. */
function given<T extends object>(members: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Key in keyof T]?: Exclude<T[Key], undefined> }
}
