import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import manifest from '../../packages/server/package.json' with { type: 'json' }
import { buildBinary } from '../../packages/server/binaries.mjs'
import { temporaryDirectory, until } from '../support/serve.js'

const run = promisify(execFile)

let output: string
let binary: string
/** An empty folder. Nothing outside of the executable is needed. */
let cwd: string

beforeAll(async () => {
  output = await mkdtemp(join(tmpdir(), 'tuskit-binaries-'))
  binary = await buildBinary(output)
})
afterAll(() => rm(output, { recursive: true, force: true }))
beforeEach(async () => {
  cwd = await temporaryDirectory()
})

const env = { PATH: '' }

/** Starts the executable, and waits until it serves uploads. */
async function startBinary(...parameters: readonly string[]) {
  const child = spawn(binary, ['--port', '0', ...parameters], { cwd, env })
  const exited = once(child, 'close') as Promise<[number | null]>
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url] = /^Uploads to (\S+) are kept in file:\.\/data$/.exec(line) ?? []
    if (url === undefined) continue
    const stop = async () => {
      child.kill('SIGTERM')
      return (await exited)[0]
    }
    return { url, pid: child.pid!, log: () => log, stop }
  }
  throw new Error(`The program has ended:\n${log}`)
}

async function upload(url: string): Promise<number> {
  const headers = {
    'Tus-Resumable': '1.0.0',
    'Upload-Length': '5',
    'Content-Type': 'application/offset+octet-stream',
    Connection: 'close',
  }
  return (await fetch(url, { method: 'POST', headers, body: 'hello' })).status
}

test('the executable is the program', async () => {
  const { stdout: version } = await run(binary, ['--version'], { cwd, env })
  expect(version).toBe(`${manifest.version}\n`)
  const { stdout: help } = await run(binary, ['--help'], { cwd, env })
  expect(help).toContain('A server for resumable uploads')
  // Options of Node are none of the program's.
  await expect(run(binary, ['--inspect'], { cwd, env })).rejects.toMatchObject({ code: 2 })
})

test('workers of the executable serve uploads, its page and a program as hook, and stop on SIGTERM', async () => {
  await mkdir(join(cwd, 'hooks'))
  const hook = '#!/bin/sh\necho "$TUS_ID" > created\n'
  await writeFile(join(cwd, 'hooks/post-create'), hook, { mode: 0o755 })
  const hooks = ['--hooks-dir', 'hooks', '--hooks-outbox', 'outbox']
  const { url, pid, log, stop } = await startBinary('--workers', '2', '--page', ...hooks)
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  expect(children.trim().split(' ')).toHaveLength(2)

  expect(await upload(url)).toBe(201)
  for (const path of ['/', '/look.css', '/page.js', '/tus.min.js']) {
    expect((await fetch(new URL(path, url), { headers: { connection: 'close' } })).status).toBe(200)
  }
  await until(
    () => readdir(join(cwd, 'hooks')),
    (names) => names.includes('created'),
  )
  expect(await stop()).toBe(0)
  expect(log()).not.toMatch(/"level":"(warn|error)"/)
  expect(await readdir(cwd)).toEqual(['data', 'hooks', 'outbox'])
})

test('the executable loads plugins from files and from installed packages', async () => {
  await writeFile(join(cwd, 'reason.mjs'), `export const reason = 'The plugin is loaded'`)
  const plugin = `
    import { createHash } from 'node:crypto'
    import { reason } from './reason.mjs'
    export const plugin = { data: { acme() { throw new Error(createHash && reason) } } }`
  await writeFile(join(cwd, 'plugin.mjs'), plugin)
  const acme = join(cwd, 'node_modules/acme')
  await mkdir(acme, { recursive: true })
  await writeFile(join(acme, 'package.json'), `{ "exports": { "./plugin": "./plugin.mjs" } }`)
  await writeFile(join(acme, 'plugin.mjs'), `export * from '../../plugin.mjs'`)

  for (const name of ['./plugin.mjs', 'acme/plugin']) {
    const refused = run(binary, ['--plugin', name, '--data', 'acme:'], { cwd, env })
    await expect(refused).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('The plugin is loaded') as string,
    })
  }
  const missing = run(binary, ['--hooks-url', 'amqp://localhost'], { cwd, env })
  await expect(missing).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Run: npm install @tuskit/amqp-hooks') as string,
  })
})
