import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startReadme } from '../../../test/docs/start-readme.js'
import { download, post, temporaryDirectory } from '../../../test/support/serve.js'
import { MysqlServer } from '../services.js'

let service: MysqlServer

beforeAll(async () => {
  service = await MysqlServer.start()
})
afterAll(() => service.stop())

test('the program of the README keeps records and locks in a database', async () => {
  const database = await service.createDatabase()
  const { origin, stop } = await startReadme('mysql', [
    ['mysql://tuskit:secret@localhost/uploads', service.url(database)],
    ["'./uploads'", JSON.stringify(await temporaryDirectory())],
  ])
  const created = await post({ origin }, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  expect(await download(origin + created.headers.location!)).toBe('hello')
  const pool = service.pool(database)
  onTestFinished(() => pool.end())
  const [rows] = await pool.query('SELECT COUNT(*) AS count FROM tuskit_uploads')
  expect(rows).toEqual([{ count: 1 }])
  expect(await stop()).toBe(0)
})
