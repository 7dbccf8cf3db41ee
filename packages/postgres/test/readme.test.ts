import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { readPage, root } from '../../../test/docs/pages.js'
import { freePort } from '../../../test/support/free-port.js'
import { download, idOf, post, temporaryDirectory } from '../../../test/support/serve.js'
import { Postgres } from '../services.js'

const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href

let server: Postgres

beforeAll(async () => {
  server = await Postgres.start()
})
afterAll(() => server.stop())

test('the program of the README keeps records and locks in PostgreSQL', async () => {
  const { blocks } = await readPage('packages/postgres/README.md')
  const { code } = blocks.find(({ name }) => name === 'server.mjs')!
  const [port, database] = [await freePort(), await server.createDatabase()]
  const adapted = [
    ['postgres://localhost/uploads', server.url(database)],
    ["'./uploads'", `'${await temporaryDirectory()}'`],
    ['listen(1080', `listen(${port}`],
  ].reduce((text, [from, to]) => {
    expect(text).toContain(from)
    return text.replace(from!, to!)
  }, code)
  const args = ['--import', preload, '--input-type=module', '--eval', adapted]
  const program = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void program.kill())
  await once(program.stdout, 'data')

  const origin = `http://127.0.0.1:${port}`
  const created = await post({ origin }, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  const url = origin + created.headers.location!
  expect(await download(url)).toBe('hello')
  const rows = `SELECT u.id, record->'length' AS length, held
    FROM tuskit_uploads u JOIN tuskit_locks USING (id)`
  expect(await server.query(rows, { database })).toEqual([
    { id: idOf(url), length: 5, held: false },
  ])
})
