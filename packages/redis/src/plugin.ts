import { Cluster, Redis } from 'ioredis'
import type { ComposerPart, Logger, StoreComposer } from 'tuskit'
import { RedisInfoStore } from './redis-info-store.js'
import { RedisLocker } from './redis-locker.js'

/** The options after the question mark. */
const known = ['prefix', 'timeout', 'lease', 'poll-interval', 'sentinel', 'cluster', 'node']

/**
 * Makes parts from URLs such as `redis://localhost/0?prefix=uploads:`. A user and a password that
 * are not in the URL come from the environment.
 */
export const plugin = {
  info: { redis: infoFromUrl, rediss: infoFromUrl },
  locks: { redis: locksFromUrl, rediss: locksFromUrl },
}

/** The member that is used of the context that the server program passes. */
interface Context {
  readonly logger: Logger
}

function infoFromUrl(url: string, context?: Context): ComposerPart {
  const { client, options } = parse(url, context)
  return withClient(client, new RedisInfoStore(options))
}

function locksFromUrl(url: string, context?: Context): ComposerPart {
  const { client, options, number } = parse(url, context)
  const times = given({ lease: number('lease'), pollInterval: number('poll-interval') })
  return withClient(client, new RedisLocker({ ...options, ...times }))
}

/** Closes the client with the part, which does not own it. */
function withClient(client: Redis | Cluster, part: ComposerPart): ComposerPart {
  const close = async () => client.disconnect()
  return {
    useIn(composer: StoreComposer) {
      part.useIn(composer)
      composer.useLifecycle({ open: async () => {}, close })
    },
  }
}

/** Reads a URL, and refuses options that are not known. */
function parse(href: string, context?: Context) {
  const url = new URL(href)
  const unknown = [...url.searchParams.keys()].find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new Error(`there is no option ${unknown}, only ${known.join(', ')}`)
  }
  if (url.hostname === '') throw new Error('the name of a server must follow //')
  const text = (name: string) => url.searchParams.get(name) ?? undefined
  const number = (name: string) => {
    const digits = text(name)
    if (digits === undefined) return undefined
    if (/^[1-9]\d*$/.test(digits)) return Number(digits)
    throw new Error(`${name} must be a whole number, more than 0, not '${digits}'`)
  }
  const client = clientFor(url)
  // A call that fails later says only that it had no response.
  let isConnected = true
  client.on('ready', () => (isConnected = true))
  client.on('error', ({ message }: Error) => {
    if (isConnected) context?.logger.warn('Redis cannot be reached', { reason: message })
    isConnected = false
  })
  const options = { client, ...given({ prefix: text('prefix'), timeout: number('timeout') }) }
  return { client, options, number }
}

/** Makes a client, which connects at its first command. */
function clientFor(url: URL): Redis | Cluster {
  const { env } = process
  const sentinel = url.searchParams.get('sentinel')
  const nodes = nodesOf(url, sentinel === null ? 6379 : 26379)
  const [, db = ''] = /^\/(\d*)$/.exec(url.pathname || '/') ?? []
  if (url.pathname !== `/${db}` && url.pathname !== '') {
    throw new Error(`the path must be the number of a database, not ${url.pathname}`)
  }
  const isCluster = url.searchParams.has('cluster')
  if (isCluster && sentinel !== null) throw new Error('sentinel and cluster exclude each other')
  if (isCluster && Number(db) !== 0) throw new Error('a Cluster has only the database 0')
  if (!isCluster && sentinel === null && nodes.length > 1) {
    throw new Error('several nodes need sentinel or cluster')
  }
  const isSecure = url.protocol === 'rediss:'
  const access = given({
    username: decodeURIComponent(url.username) || env['REDIS_USERNAME'],
    password: decodeURIComponent(url.password) || env['REDIS_PASSWORD'],
    tls: isSecure ? {} : undefined,
  })
  const lazyConnect = true
  if (isCluster) return new Cluster(nodes, { lazyConnect, redisOptions: access })
  const common = { ...access, lazyConnect, db: Number(db) }
  if (sentinel === null) return new Redis({ ...common, ...nodes[0]! })
  return new Redis({
    ...common,
    ...given({ sentinelPassword: env['REDIS_SENTINEL_PASSWORD'] }),
    sentinels: nodes,
    name: sentinel,
    enableTLSForSentinelMode: isSecure,
    // Otherwise a master that hangs is waited for.
    failoverDetector: true,
  })
}

/** Returns the server of the URL, and those that `node` adds. */
function nodesOf(url: URL, defaultPort: number): { host: string; port: number }[] {
  return [url.host, ...url.searchParams.getAll('node')].map((node) => {
    const { hostname, port } = new URL(`redis://${node}`)
    return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || defaultPort }
  })
}

/** Returns an object without the members that are `undefined`. */
function given<T extends object>(members: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Key in keyof T]?: Exclude<T[Key], undefined> }
}
