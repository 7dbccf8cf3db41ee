import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { expect, onTestFinished, test } from 'vitest'
import { readPage } from '../../../test/docs/pages.js'
import { startReadme } from '../../../test/docs/start-readme.js'
import {
  createUpload,
  download,
  openPatch,
  patch,
  post,
  remove,
  temporaryDirectory,
  untilOffset,
} from '../../../test/support/serve.js'
import { RedisServer } from '../services.js'
import { serveRedis } from './serve-redis.js'

test('the program of the README keeps records and locks in Redis', async () => {
  const redis = await RedisServer.start()
  onTestFinished(() => redis.stop())
  const { origin, stop } = await startReadme('redis', [
    ['redis://localhost', redis.url],
    ["'./uploads'", `'${await temporaryDirectory()}'`],
  ])
  const created = await post({ origin }, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  expect(await download(origin + created.headers.location!)).toBe('hello')
  const id = created.headers.location!.split('/').at(-1)!
  const keys = (await redis.command('KEYS', '*')).split('\n').map((key) => key.slice(12))
  expect(keys.toSorted()).toEqual(['ids', `lock:${id}`, `record:${id}`])
  expect(await stop()).toBe(0)
})

test('the user of the README has all permissions that are needed', async () => {
  const redis = await RedisServer.start()
  onTestFinished(() => redis.stop())
  const { text } = await readPage('packages/redis/README.md')
  const [command] = /^ACL SETUSER [^`]+/m.exec(text)!
  await redis.command(...command.trim().split(/\s+/))
  const access = { username: 'tuskit', password: 'password' }
  const nodeClient = createClient({ ...access, url: redis.url })
  onTestFinished(() => nodeClient.destroy())
  const ioClient = new Redis({ ...access, port: redis.port })
  onTestFinished(() => ioClient.disconnect())
  for (const client of [await nodeClient.connect(), ioClient]) {
    const site = await serveRedis(client)
    const url = await createUpload(site, { 'upload-length': '5' })
    const open = openPatch(url, 0)
    open.request.write('he')
    await untilOffset(url, 2)
    // Through another server, which asks the first one for the lock.
    const other = await serveRedis(client, site.directory)
    const path = new URL(url).pathname
    expect(await patch(other.origin + path, 2, 'llo')).toMatchObject({ status: 204 })
    expect(await download(other.origin + path)).toBe('hello')
    expect(await remove(other.origin + path)).toMatchObject({ status: 204 })
    await expect(site.handler.uploads.removeExpired()).resolves.toBeDefined()
    for await (const upload of site.handler.uploads.list()) expect(upload.id).toBeDefined()
  }
})
