import { execFile } from 'node:child_process'
import { statfs, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'
import { SqliteInfoStore } from '@tuskit/sqlite'
import { createUpload, head, post, serve, temporaryDirectory } from '../../../test/support/serve.js'
import { silent } from '../../../test/support/silent.js'
import { connector } from './better-sqlite3.js'

const run = promisify(execFile)
const connect = await connector()

test('on a full disk creations get 507, and the records that are there stay readable', async () => {
  const directory = await temporaryDirectory()
  await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory])
  onTestFinished(async () => void (await run('umount', ['-l', directory])))
  const database = connect(join(directory, 'uploads.db'))
  onTestFinished(() => void database.close())
  const composer = new StoreComposer().use(new MemoryStore(), new SqliteInfoStore({ database }))
  const site = await serve({ composer, logger: silent })
  const url = await createUpload(site)

  const { bavail, bsize } = await statfs(directory)
  const filler = join(directory, 'filler')
  await writeFile(filler, Buffer.alloc(bavail * bsize))
  const metadata = `name ${Buffer.alloc(6_000, 'a').toString('base64')}`
  const headers = { 'upload-length': '5', 'upload-metadata': metadata }
  const statuses: number[] = []
  // The log may still have room for some.
  while (statuses.at(-1) !== 507) statuses.push((await post(site, headers)).status)
  expect(statuses.slice(0, -1).every((status) => status === 201)).toBe(true)
  expect((await head(url)).status).toBe(200)

  await truncate(filler)
  expect((await post(site, headers)).status).toBe(201)
  expect((await head(url)).status).toBe(200)
})
