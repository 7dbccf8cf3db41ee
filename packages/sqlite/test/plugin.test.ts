import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { plugin } from '@tuskit/sqlite/plugin'
import { runtime } from '../../../test/house/runtime.js'
import { temporaryDirectory } from '../../../test/support/serve.js'
import { betterSqlite3, connector } from './better-sqlite3.js'

const run = promisify(execFile)
const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href
const program = fileURLToPath(new URL('programs/plugin.mjs', import.meta.url))
const build = fileURLToPath(new URL('../.dist', import.meta.url))

test('a URL uses node:sqlite where Node has it, and better-sqlite3 where it is installed', async () => {
  const folder = await mkdtemp(join(await betterSqlite3(), 'plugin-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await cp(build, folder, { recursive: true })
  const directory = await temporaryDirectory()
  const file = join(directory, 'my records.db')
  const url = `sqlite://${file.replace(' ', '%20')}?table-prefix=mine_`
  const newer = await runtime('node', '24.22.3')
  for (const [node, path, id] of [
    [newer, build, 'first'],
    [process.execPath, folder, 'second'],
  ] as const) {
    const args = ['--import', preload, program, join(path, 'plugin.js'), url, id]
    expect((await run(node, args)).stdout).toBe(`${id}\n`)
  }
  const relative = ['--import', preload, program, join(build, 'plugin.js')]
  const options = { cwd: directory }
  await run(newer, [...relative, 'sqlite:./my%20records.db?table-prefix=mine_', 'third'], options)
  const database = (await connector())(file)
  onTestFinished(() => void database.close())
  const rows = database.prepare('SELECT id FROM mine_uploads ORDER BY id').all()
  expect(rows).toEqual([{ id: 'first' }, { id: 'second' }, { id: 'third' }])
})

test.each([
  ['sqlite:', 'it must name a file'],
  ['sqlite://host/file.db', 'it must name a file'],
  ['sqlite:./a.db?lease=1', 'there is no option lease, only table-prefix, schema'],
  ['sqlite:./a.db', 'Use Node 22.13 or later, or run: npm install better-sqlite3'],
])('%s is refused here', async (url, message) => {
  await expect(plugin.info.sqlite(url)).rejects.toThrow(message)
})
