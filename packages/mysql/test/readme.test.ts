import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { readPage, root } from '../../../test/docs/pages.js'
import { freePort } from '../../../test/support/free-port.js'
import { download, post, temporaryDirectory } from '../../../test/support/serve.js'
import { MariaDb } from '../services.js'

const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href

let service: MariaDb

beforeAll(async () => {
  service = await MariaDb.start()
})
afterAll(() => service.stop())

test('the program of the README keeps records and locks in a database', async () => {
  const { blocks } = await readPage('packages/mysql/README.md')
  const { code } = blocks.find(({ name }) => name === 'server.mjs')!
  const port = await freePort()
  const database = await service.createDatabase()
  const adapted = [
    ['mysql://tuskit:secret@localhost/uploads', service.url(database)],
    ["'./uploads'", JSON.stringify(await temporaryDirectory())],
    ['listen(1080', `listen(${port}`],
  ].reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replace(from!, to!)
  }, code)
  const args = ['--import', preload, '--input-type=module', '--eval', adapted]
  const server = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void server.kill())
  await once(server.stdout, 'data')

  const origin = `http://127.0.0.1:${port}`
  const created = await post({ origin }, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  expect(await download(origin + created.headers.location!)).toBe('hello')
  const pool = service.pool(database)
  onTestFinished(() => pool.end())
  const [rows] = await pool.query('SELECT COUNT(*) AS count FROM tuskit_uploads')
  expect(rows).toEqual([{ count: 1 }])
})
