import { execFile, execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { Postgres } from '../../packages/postgres/services.js'
import { RedisServer } from '../../packages/redis/services.js'
import { CephGateway, credentials } from '../../packages/s3-store/services.js'
import { startProgram } from '../../packages/server/test/program.js'
import { ensureProgram } from '../house/debian-packages.mjs'
import { root } from '../house/source-files.js'
import { replaceAll } from '../proxies/proxy.js'
import { ServiceProcess } from '../services/service-process.js'
import { freePort } from '../support/free-port.js'
import { temporaryDirectory, tus, until } from '../support/serve.js'

// Docker does not run here. docker-compose reads the files and checks them against its schema, and
// the programs of the services run on this machine, with the flags and the file of nginx.

const run = promisify(execFile)
const folder = join(root, 'examples/cluster')

beforeAll(() => {
  ensureProgram('docker-compose')
  ensureProgram('nginx')
})

/** A service of a compose file. */
interface Service {
  readonly command: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: readonly string[] }
}

/** Returns the services of a file, as docker-compose reads it. */
async function servicesIn(file: string, env: Readonly<Record<string, string>> = {}) {
  const options = { env: { ...process.env, ...env } }
  const { stdout } = await run('docker-compose', ['--file', join(folder, file), 'config'], options)
  return (parse(stdout) as { services: Readonly<Record<string, Service>> }).services
}

/** Returns the flags of the servers, which are the same. */
async function flagsIn(
  file: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const services = await servicesIn(file, env)
  const commands = ['tuskit-1', 'tuskit-2'].map((name) => services[name]!.command)
  expect(commands[0]).toEqual(commands[1])
  const [node, program, host, ...flags] = commands[0]!
  expect([node, program, host]).toEqual([
    'node',
    '/opt/tuskit/packages/server/dist/program.js',
    '--host=0.0.0.0',
  ])
  return flags
}

/** Starts nginx with the file of the example in front of two servers. Returns its origin. */
async function startNginx(ports: readonly number[]): Promise<string> {
  const home = await temporaryDirectory()
  const port = await freePort()
  const site = replaceAll(await readFile(join(folder, 'nginx.conf'), 'utf8'), [
    ['listen 80;', `listen 127.0.0.1:${port};`],
    ['tuskit-1:1080', `127.0.0.1:${ports[0]}`],
    ['tuskit-2:1080', `127.0.0.1:${ports[1]}`],
  ])
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const main = [
    `daemon off; pid ${home}/pid; events {}`,
    `http { access_log off; ${places.map((name) => `${name}_temp_path ${home}/${name};`).join(' ')}`,
    `${site} }`,
  ]
  await writeFile(join(home, 'nginx.conf'), main.join('\n'))
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', 'nobody', home])
  const args = ['-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')]
  const nginx = await ServiceProcess.start({ command: 'nginx', args, user: 'nobody' })
  onTestFinished(() => nginx.kill())
  const origin = `http://127.0.0.1:${port}`
  await until(
    () =>
      fetch(origin).then(
        ({ status }) => status,
        () => 0,
      ),
    (status) => status === 404,
  )
  return origin
}

/** Uploads through nginx in many requests, while one server after the other is stopped. */
async function uploadDuringUpdate(flags: readonly string[], env: Record<string, string> = {}) {
  const cwd = await temporaryDirectory()
  const ports = [await freePort(), await freePort()]
  const start = (port: number) => startProgram(['--port', `${port}`, ...flags], { cwd, env })
  const servers = [await start(ports[0]!), await start(ports[1]!)]
  const origin = await startNginx(ports)

  const bytes = randomBytes(12 * 1_048_576 + 5)
  const created = await fetch(`${origin}/files/`, {
    method: 'POST',
    headers: { ...tus, 'upload-length': `${bytes.length}` },
  })
  expect(created.status).toBe(201)
  const url = new URL(created.headers.get('location')!, origin)
  const step = 1_048_576
  for (let offset = 0; offset < bytes.length; offset += step) {
    const which = offset === 3 * step ? 0 : offset === 6 * step ? 1 : undefined
    if (which !== undefined) {
      expect(await servers[which]!.stop()).toBe(0)
      servers[which] = await start(ports[which]!)
    }
    const response = await fetch(url, {
      method: 'PATCH',
      headers: { ...tus, 'upload-offset': `${offset}`, 'content-type': type },
      body: bytes.subarray(offset, offset + step),
    })
    expect(response.status).toBe(204)
  }
  for (const { child } of servers) child.kill('SIGKILL')
  await start(ports[0]!)
  const stored = Buffer.from(await (await fetch(url)).arrayBuffer())
  expect(sha256(stored)).toBe(sha256(bytes))
}

const type = 'application/offset+octet-stream'
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('redis.yaml: two servers share a volume and a Redis', async () => {
  const redis = await RedisServer.start({ appendonly: 'yes', appendfsync: 'always' })
  onTestFinished(() => redis.stop())
  const data = join(await temporaryDirectory(), 'data')
  await mkdir(data)
  const flags = (await flagsIn('redis.yaml')).map((flag) =>
    flag.replace('file:/data', `file:${data}`).replace('redis://redis', redis.url),
  )
  expect(flags).toContain(`--locks=${redis.url}`)
  await uploadDuringUpdate(flags)
})

test('s3-postgres.yaml: two servers share a bucket and a PostgreSQL', async () => {
  const [postgres, ceph] = await Promise.all([Postgres.start(), CephGateway.start()])
  onTestFinished(async () => void (await Promise.all([postgres.stop(), ceph.stop()])))
  const [database, bucket] = [await postgres.createDatabase(), await ceph.createBucket()]
  const keys = {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
  const url = `s3://${bucket}?endpoint=${ceph.endpoint}&region=us-east-1&provider=ceph`
  const flags = (await flagsIn('s3-postgres.yaml', { ...keys, BUCKET: url })).map((flag) =>
    flag.replace('postgres://tuskit@postgres/tuskit', postgres.url(database)),
  )
  expect(flags).toEqual(
    expect.arrayContaining([`--data=${url}`, `--info=${postgres.url(database)}`]),
  )
  await uploadDuringUpdate(flags, { ...keys, PGPASSWORD: 'unused' })
})

test.each(['redis.yaml', 's3-postgres.yaml'])('%s: services wait for each other', async (file) => {
  const services = await servicesIn(file, { BUCKET: 's3://uploads' })
  for (const { depends_on: needed = {} } of Object.values(services)) {
    for (const [name, { condition }] of Object.entries(needed)) {
      const { healthcheck } = services[name]!
      // Without this, `up --wait` fails when a container ends that is meant to.
      const other = 'service_completed_successfully'
      expect(condition).toBe(healthcheck === undefined ? other : 'service_healthy')
    }
  }
  const [kind, command, ...parameters] = services['tuskit-1']!.healthcheck!.test
  expect([kind, command]).toEqual(['CMD', 'node'])
  const { url, stop } = await startProgram([], { cwd: await temporaryDirectory() })
  const check = () =>
    run(
      process.execPath,
      parameters.map((text) => text.replace('1080', new URL(url).port)),
    )
  await check()
  await stop()
  await expect(check()).rejects.toMatchObject({ code: 1 })
})

test('the file of nginx has the lines of examples/proxies', async () => {
  const linesOf = async (path: string) =>
    (await readFile(path, 'utf8')).split('\n').map((line) => line.replace(/#.*/, '').trim())
  const own = await linesOf(join(folder, 'nginx.conf'))
  const missing = (await linesOf(join(root, 'examples/proxies/nginx.conf'))).filter(
    (line) => !own.includes(line),
  )
  // HTTPS with HTTP/2, IPv6, and the names of the hosts.
  const others = /^(server|listen|ssl_certificate|server_name|client_body_buffer_size)/
  expect(missing.filter((line) => !others.test(line))).toEqual([])
})
