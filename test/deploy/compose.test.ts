import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { runProgram } from '../../packages/server/test/program.js'
import { ensureProgram } from '../house/debian-packages.mjs'
import { root } from '../house/source-files.js'
import { temporaryDirectory } from '../support/serve.js'

// Docker does not run here. docker-compose reads the file, and checks it against its schema.

const run = promisify(execFile)

interface Service {
  readonly build: { readonly context: string; readonly dockerfile: string }
  readonly command: readonly string[]
}

let service: Service

beforeAll(async () => {
  ensureProgram('docker-compose')
  const file = join(root, 'examples/deploy/compose.yaml')
  const { stdout } = await run('docker-compose', ['--file', file, 'config'])
  service = (parse(stdout) as { services: { tuskit: Service } }).services.tuskit
})

test('docker-compose understands the file', () => {
  expect(service).toMatchObject({
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    volumes: ['data:/data:rw'],
    restart: 'unless-stopped',
  })
  expect(join(service.build.context, service.build.dockerfile)).toBe(
    join(root, 'examples/deploy/Dockerfile'),
  )
})

test('the program knows the flags', async () => {
  const here = ['--data', `file:${await temporaryDirectory()}`, '--port', '0']
  expect(await runProgram(['check', ...service.command, ...here])).toMatchObject({ code: 0 })
})
