import { expect, onTestFinished, test } from 'vitest'
import { createHandler, StoreComposer } from 'tuskit'
import { FileStore } from 'tuskit/file-store'
import { MemoryStore } from 'tuskit/memory-store'
import { plugin } from '@tuskit/redis/plugin'
import { freePort } from '../../../test/support/free-port.js'
import { silent } from '../../../test/support/silent.js'
import { download, post, serve, temporaryDirectory } from '../../../test/support/serve.js'
import { RedisCluster, RedisSentinels, RedisServer } from '../services.js'

interface Service {
  stop(): Promise<void>
}

async function started<S extends Service>(starting: Promise<S>): Promise<S> {
  const service = await starting
  onTestFinished(() => service.stop())
  return service
}

const nodes = (ports: readonly number[]) => ports.map((port) => `&node=127.0.0.1:${port}`).join('')

/** Uploads through parts that a URL describes. */
async function upload(url: string): Promise<void> {
  const data = new FileStore({ directory: await temporaryDirectory() })
  const parts = [data, plugin.info.redis(url), plugin.locks.redis(url)]
  const site = await serve({ composer: new StoreComposer().use(...parts) })
  const created = await post(site, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  expect(await download(site.origin + created.headers.location!)).toBe('hello')
  await site.server.stop()
}

test('a URL describes a server, a database, a password and the beginning of the keys', async () => {
  const redis = await started(RedisServer.start({ requirepass: 'se:cret' }))
  const url = `redis://:se%3Acret@127.0.0.1:${redis.port}/3?prefix=team%20a:&lease=5000`
  await upload(url)
  const count = await redis.command('-a', 'se:cret', '--no-auth-warning', '-n', '3', 'DBSIZE')
  expect(Number(count)).toBeGreaterThan(0)
  const clients = await redis.command('-a', 'se:cret', '--no-auth-warning', 'CLIENT', 'LIST')
  // Only that of this command is left.
  expect(clients.split('\n')).toHaveLength(1)
})

test('a URL describes a group with Sentinel', async () => {
  const { ports } = await started(RedisSentinels.start())
  const [first, ...others] = ports
  await upload(`redis://127.0.0.1:${first}/?sentinel=${RedisSentinels.group}${nodes(others)}`)
})

test('a URL describes a Cluster', async () => {
  const { servers } = await started(RedisCluster.start())
  const [first, ...others] = servers.map(({ port }) => port)
  await upload(`redis://127.0.0.1:${first}/?cluster${nodes(others)}`)
})

test('a server that cannot be reached is logged with the reason', async () => {
  const port = await freePort()
  const warnings: unknown[] = []
  const warn = (...warning: unknown[]) => void warnings.push(warning)
  const part = plugin.info.redis(`redis://127.0.0.1:${port}?timeout=500`, {
    logger: { ...silent, warn },
  })
  const site = createHandler({
    basePath: '/files',
    composer: new StoreComposer().use(new MemoryStore(), part),
  })
  await expect(site.open()).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  await site.close()
  const reason = `connect ECONNREFUSED 127.0.0.1:${port}`
  expect(warnings).toEqual([['Redis cannot be reached', { reason }]])
})

test.each([
  ['redis://localhost?pefix=a', 'there is no option pefix, only prefix, timeout'],
  ['redis://localhost/uploads', 'the path must be the number of a database, not /uploads'],
  ['redis://localhost/1?cluster', 'a Cluster has only the database 0'],
  ['redis://localhost?cluster&sentinel=a', 'sentinel and cluster exclude each other'],
  ['redis://localhost?node=other', 'several nodes need sentinel or cluster'],
  ['redis://localhost?lease=10s', "lease must be a whole number, more than 0, not '10s'"],
  ['redis:///0', 'the name of a server must follow //'],
])('%s is refused', (url, message) => {
  expect(() => plugin.locks.redis(url)).toThrow(message)
})
