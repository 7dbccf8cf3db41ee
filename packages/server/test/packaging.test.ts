import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { npm } from '../../../test/house/npm.js'
import { prepare } from '../../../test/house/prepare.mjs'
import { temporaryDirectory } from '../../../test/support/serve.js'

test('npx runs the packed program in an empty folder', async () => {
  prepare()
  const folder = await temporaryDirectory()
  const pack = ['pack', '--ignore-scripts', '--pack-destination', folder]
  await npm(...pack)
  await npm(...pack, '--workspace', 'packages/server')
  const packed = (await readdir(folder)).toSorted()
  expect(packed).toEqual([
    expect.stringMatching(/^tuskit-\d.*\.tgz$/),
    expect.stringMatching(/^tuskit-server-.*\.tgz$/),
  ])

  const packages = packed.flatMap((name) => ['-p', `./${name}`])
  const cache = await temporaryDirectory()
  const child = spawn('npx', ['--yes', ...packages, 'tuskit', '--port', '0'], {
    cwd: folder,
    // The cache of npm has the packages that this repository has installed.
    env: { ...process.env, npm_config_prefer_offline: 'true', TMPDIR: cache },
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    process.kill(-child.pid!, 'SIGTERM')
    await exited
  })
  let url: string | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    url = /^Uploads to (http:\S+) are kept in file:\.\/data$/.exec(line)?.[1]
    if (url !== undefined) break
  }
  const created = await fetch(url!, {
    method: 'POST',
    headers: {
      'Tus-Resumable': '1.0.0',
      'Upload-Length': '5',
      'Content-Type': 'application/offset+octet-stream',
    },
    body: 'hello',
  })
  expect(created.status).toBe(201)
  expect(await readdir(folder)).toContain('data')
})

test('publint has nothing to say', async () => {
  prepare()
  const report = await npm('exec', '--no', '--', 'publint', 'run', 'packages/server', '--strict')
  expect(report).toMatch(/All good/)
})
