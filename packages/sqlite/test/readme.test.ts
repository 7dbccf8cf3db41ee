import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readPage } from '../../../test/docs/pages.js'
import { runtime } from '../../../test/house/runtime.js'
import { freePort } from '../../../test/support/free-port.js'
import {
  createUpload,
  download,
  offsetOf,
  openPatch,
  patch,
  temporaryDirectory,
  untilOffset,
} from '../../../test/support/serve.js'
import { betterSqlite3 } from './better-sqlite3.js'

const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href

const variants = [
  ['node:sqlite of Node 24', () => runtime('node', '24.22.3'), async (code: string) => code],
  [
    'better-sqlite3',
    async () => process.execPath,
    async (code: string) => {
      const path = createRequire(join(await betterSqlite3(), 'a.js')).resolve('better-sqlite3')
      return code
        .replace("{ DatabaseSync } from 'node:sqlite'", `Database from '${path}'`)
        .replace('new DatabaseSync(', 'new Database(')
    },
  ],
] as const

test.each(variants)(
  'the program of the README continues after it was killed, over %s',
  async (_, node, adapt) => {
    const { blocks } = await readPage('packages/sqlite/README.md')
    const port = await freePort()
    const { code } = blocks.find(({ name }) => name === 'server.mjs')!
    const adapted = (await adapt(code)).replace('listen(1080', `listen(${port}`)
    const cwd = await temporaryDirectory()
    const path = await node()
    const start = async () => {
      const args = ['--import', preload, '--input-type=module', '--eval', adapted]
      const server = spawn(path, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
      onTestFinished(() => void server.kill('SIGKILL'))
      await once(server.stdout, 'data')
      return server
    }

    const first = await start()
    const url = await createUpload({ origin: `http://127.0.0.1:${port}` })
    const { request } = openPatch(url, 0)
    request.write('hello ')
    await untilOffset(url, 6)
    const exited = once(first, 'exit')
    first.kill('SIGKILL')
    await exited
    await start()
    expect(await offsetOf(url)).toBe('6')
    // The lock of the process that was killed ends with its lease.
    expect((await patch(url, 6, 'world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
  },
)
