import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { SqliteInfoStore } from '@tuskit/sqlite'
import { temporaryDirectory } from '../../../test/support/serve.js'
import { betterSqlite3, connector } from './better-sqlite3.js'
import { noAbort, recordOf } from '../../../test/support/records.js'

const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href
const program = fileURLToPath(new URL('programs/writer.mjs', import.meta.url))

async function database() {
  const file = join(await temporaryDirectory(), 'uploads.db')
  const connection = (await connector())(file)
  onTestFinished(() => void connection.close())
  const store = new SqliteInfoStore({ database: connection })
  return { file, connection, store }
}

async function writer(given: object): Promise<ChildProcess> {
  const argument = JSON.stringify({ home: await betterSqlite3(), ...given })
  const child = spawn(process.execPath, ['--import', preload, program, argument], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('8 processes change one record 200 times each, and no change is lost', async () => {
  const { file, store } = await database()
  await store.open()
  await store.create(recordOf('shared'), noAbort)
  const writers = await Promise.all(Array.from({ length: 8 }, () => writer({ file, changes: 200 })))
  const exits = await Promise.all(writers.map((child) => once(child, 'exit')))
  expect(exits.map(([code]) => code as number)).toEqual(Array(8).fill(0))
  const { revision, length } = (await store.get('shared', noAbort))!
  expect({ revision, length }).toEqual({ revision: 1_601, length: 1_600 })
})

test('processes that start together create the tables once', async () => {
  const { file, connection, store } = await database()
  const writers = await Promise.all(Array.from({ length: 6 }, () => writer({ file, changes: 0 })))
  const exits = await Promise.all(writers.map((child) => once(child, 'exit')))
  expect(exits.map(([code]) => code as number)).toEqual(Array(6).fill(0))
  expect(connection.prepare('SELECT * FROM tuskit_schema').all()).toEqual([
    { version: 1, oldest: 1 },
  ])
  await store.open()
})

test('what a process has stored is there after it was killed in the middle of writes', async () => {
  const { file, connection, store } = await database()
  await store.open()
  await store.create(recordOf('shared'), noAbort)
  const stored: string[] = []
  for (const [round, enough] of [40, 400, 1_000].entries()) {
    const child = await writer({ file, name: `round${round}` })
    let output = ''
    let lines = 0
    for await (const piece of child.stdout!) {
      output += String(piece)
      lines = output.split('\n').length - 1
      if (lines >= enough) child.kill('SIGKILL')
    }
    stored.push(...output.split('\n').slice(0, lines))
    for (const id of stored) expect((await store.get(id, noAbort))?.id).toBe(id)
    expect(connection.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  }
  expect(stored.length).toBeGreaterThanOrEqual(1_440)
})
