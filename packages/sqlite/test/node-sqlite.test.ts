import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { runtime } from '../../../test/house/runtime.js'

const run = promisify(execFile)
const preload = new URL('../../../test/programs/use-test-build.mjs', import.meta.url).href
const program = fileURLToPath(new URL('programs/suite.mjs', import.meta.url))

// The first version that has node:sqlite without a flag, and a newer one.
test.each(['22.13.0', '24.22.3'])('the suite over node:sqlite of Node %s', async (version) => {
  const node = await runtime('node', version)
  const args = ['--import', preload, '--test-reporter', 'tap', program]
  const { stdout } = await run(node, args).catch((error: { readonly stdout: string }) => error)
  const failed = stdout.split('\n').filter((line) => line.trim().startsWith('not ok'))
  expect(failed, stdout.slice(-20_000)).toEqual([])
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(60)
})
