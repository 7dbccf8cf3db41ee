import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ensureProgram } from '../house/debian-packages.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))
const preload = new URL('../programs/use-test-build.mjs', import.meta.url).href

test('the suite runs under node:test', async () => {
  const { code, output } = await run(
    '--test-reporter=tap',
    'test/programs/suite-with-node-test.mjs',
  )
  expect(code, output).toBe(0)
  expect(output).toMatch(/^ok \d+ - DataStore: append keeps the bytes of a body that ends early$/m)
  expect(counted(output, /^# pass (\d+)$/m)).toBeGreaterThan(60)
  expect(counted(output, /^# skipped (\d+)$/m)).toBe(0)
})

test('the suite runs under mocha', async () => {
  // Its own limit of two seconds for a test is for faster machines.
  const options = ['--reporter', 'tap', '--timeout', '20000']
  const program = 'test/programs/suite-with-mocha.mjs'
  const { code, output } = await run('node_modules/mocha/bin/mocha.js', ...options, program)
  expect(code, output).toBe(0)
  expect(output).toMatch(/^ok \d+ .*Locker: a lock is held until it is released$/m)
  expect(counted(output, /^# pass (\d+)$/m)).toBeGreaterThan(35)
  expect(output).not.toMatch(/# SKIP/)
})

test('examples/custom-store passes', async () => {
  const program = 'examples/custom-store/map-store.test.mjs'
  const { code, output } = await run('--import', preload, '--test-reporter=tap', program)
  expect(code, output).toBe(0)
  expect(counted(output, /^# pass (\d+)$/m)).toBeGreaterThan(60)
})

describe('examples/ftp-store', () => {
  beforeAll(() => ensureProgram('proftpd', 'proftpd-core'))

  test('passes with a real FTP server', async () => {
    const program = 'examples/ftp-store/ftp-store.test.mjs'
    const { code, output } = await run('--import', preload, '--test-reporter=tap', program)
    expect(code, output).toBe(0)
    expect(counted(output, /^# pass (\d+)$/m)).toBeGreaterThan(70)
    expect(counted(output, /^# skipped (\d+)$/m)).toBe(0)
  })

  test('has fewer than 250 lines, which are not long', async () => {
    const text = await readFile(`${root}examples/ftp-store/ftp-store.mjs`, 'utf8')
    const lines = text.trimEnd().split('\n')
    expect(lines.length).toBeLessThan(250)
    expect(lines.filter((line) => line.length > 100)).toEqual([])
  })
})

/** Runs a program of the repository until it exits. */
async function run(...args: readonly string[]) {
  // A runner that finds itself in the environment of another one would report to that.
  const { NODE_TEST_CONTEXT, NODE_OPTIONS, ...env } = process.env
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = (await exited) as [number | null]
  return { code, output: stdout + stderr }
}

function counted(output: string, pattern: RegExp): number {
  return Number(pattern.exec(output)?.[1])
}
