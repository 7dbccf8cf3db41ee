import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReadme } from '../../../test/docs/start-readme.js'
import { download, idOf, post, temporaryDirectory } from '../../../test/support/serve.js'
import { Postgres } from '../services.js'

let server: Postgres

beforeAll(async () => {
  server = await Postgres.start()
})
afterAll(() => server.stop())

test('the program of the README keeps records and locks in PostgreSQL', async () => {
  const database = await server.createDatabase()
  const { origin, stop } = await startReadme('postgres', [
    ['postgres://localhost/uploads', server.url(database)],
    ["'./uploads'", `'${await temporaryDirectory()}'`],
  ])
  const created = await post({ origin }, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  const url = origin + created.headers.location!
  expect(await download(url)).toBe('hello')
  const rows = `SELECT u.id, record->'length' AS length, held
    FROM tuskit_uploads u JOIN tuskit_locks USING (id)`
  expect(await server.query(rows, { database })).toEqual([
    { id: idOf(url), length: 5, held: false },
  ])
  expect(await stop()).toBe(0)
})
