import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startReadme } from '../../../test/docs/start-readme.js'
import { runtime } from '../../../test/house/runtime.js'
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

const variants = [
  ['node:sqlite of Node 24', () => runtime('node', '24.22.3'), async () => []],
  [
    'better-sqlite3',
    async () => process.execPath,
    async () => {
      const path = createRequire(join(await betterSqlite3(), 'a.js')).resolve('better-sqlite3')
      return [
        ["{ DatabaseSync } from 'node:sqlite'", `Database from '${path}'`],
        ['new DatabaseSync(', 'new Database('],
      ] as const
    },
  ],
] as const

test.each(variants)(
  'the program of the README continues after it was killed, over %s',
  async (_, node, replacements) => {
    const options = { node: await node(), cwd: await temporaryDirectory() }
    const start = async () => startReadme('sqlite', await replacements(), options)
    const first = await start()
    const created = await createUpload(first)
    const { request } = openPatch(created, 0)
    request.write('hello ')
    await untilOffset(created, 6)
    await first.stop('SIGKILL')
    const second = await start()
    const url = second.origin + new URL(created).pathname
    expect(await offsetOf(url)).toBe('6')
    // The lock of the process that was killed ends with its lease.
    expect((await patch(url, 6, 'world')).status).toBe(204)
    expect(await download(url)).toBe('hello world')
    expect(await second.stop()).toBe(0)
  },
)
