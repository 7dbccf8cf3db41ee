import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { ensureProgram } from '../house/debian-packages.mjs'
import { npm } from '../house/npm.js'
import { root } from '../house/source-files.js'
import { temporaryDirectory } from '../support/serve.js'
import { fillBaseImage } from './base-image.js'
import { uploadProgram } from './upload-program.js'

// Docker's builder needs a server that runs all the time. buildah builds the same file without.

const run = promisify(execFile)

interface ImageConfig {
  readonly User: string
  readonly Env: readonly string[]
  readonly Entrypoint: readonly string[]
  readonly WorkingDir: string
  readonly Volumes: Readonly<Record<string, object>>
  readonly Healthcheck: { readonly Test: readonly string[] }
}

let storage: string
/** The folder with the files of the image. */
let files: string
let config: ImageConfig

beforeAll(async () => {
  for (const [program, name] of [['buildah'], ['ip', 'iproute2']]) ensureProgram(program!, name)
  storage = await mkdtemp(join(tmpdir(), 'tuskit-image-'))
  // In memory, because layers contain thousands of files.
  await run('mount', ['-t', 'tmpfs', 'tmpfs', storage])
  const base = await buildah('from', '--name', 'base', 'scratch')
  await fillBaseImage(await buildah('mount', base))
  const dockerfile = join(root, 'examples/deploy/Dockerfile')
  const [, name] = /^FROM (\S+) AS build$/m.exec(await readFile(dockerfile, 'utf8'))!
  await buildah('commit', '--rm', base, `docker.io/library/${name}`)
  const cache = (await npm('config', 'get', 'cache')).trim()
  await buildah(
    ...['build', '--isolation', 'chroot', '--format', 'docker', '--pull-never', '--tag', 'tuskit'],
    ...['--volume', `${cache}:/npm-cache`, '--file', dockerfile, root],
  )
  const image = await buildah('inspect', '--type', 'image', 'localhost/tuskit')
  config = (JSON.parse(image) as { Docker: { config: ImageConfig } }).Docker.config
  files = await buildah('mount', await buildah('from', '--pull-never', 'localhost/tuskit'))
})
afterAll(async () => {
  await buildah('rm', '--all')
  await run('umount', ['--recursive', storage])
  await rm(storage, { recursive: true, force: true })
})

/** Runs buildah with images of its own, and returns what it prints. */
async function buildah(...args: readonly string[]): Promise<string> {
  const own = ['--root', join(storage, 'images'), '--runroot', join(storage, 'run')]
  const options = { maxBuffer: 64 * 1024 * 1024 }
  const { stdout } = await run('buildah', [...own, '--storage-driver', 'overlay', ...args], options)
  return stdout.trim()
}

test('the image has what an orchestrator relies on', () => {
  expect(config).toMatchObject({
    User: '1000:1000',
    Entrypoint: ['node', '/opt/tuskit/packages/server/dist/program.js'],
    Volumes: { '/data': {} },
    WorkingDir: '/data',
    Healthcheck: { Test: ['CMD', 'node', '-e', expect.any(String)] },
  })
})

/** A program in namespaces of its own, as a container is. */
interface Container {
  /** Runs a program in it, as `docker exec` does. */
  exec(...command: readonly string[]): Promise<string>
  log(): string
  /** Sends SIGTERM to its first process, and returns the exit code. */
  stop(): Promise<number | null>
}

/** Starts the image with a read-only root file system, no new privileges and a volume. */
async function startContainer(volume: string): Promise<Container> {
  const script = `
    ip link set lo up
    mount --bind ${files} ${files}
    mount -t proc proc ${files}/proc
    mount --bind ${volume} ${files}/data
    mount -o remount,bind,ro ${files}
    exec setpriv --no-new-privs chroot --userspec=${config.User} ${files} \
      env -i --chdir=${config.WorkingDir} "$@"`
  const command = ['sh', '-ec', script, 'sh', ...config.Env, ...config.Entrypoint]
  const namespaces = ['--mount', '--pid', '--net', '--fork']
  const child = spawn('unshare', [...namespaces, ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'close') as Promise<[number | null]>
  const firstProcess = async () =>
    (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').catch(() => '')).trim()
  onTestFinished(async () => {
    const pid = await firstProcess()
    if (pid !== '') process.kill(Number(pid), 'SIGKILL')
    await exited
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('Uploads to ')) break
  }
  // It would not end otherwise.
  child.stdout.resume()
  const pid = await firstProcess()
  if (pid === '') throw new Error(`The container has ended:\n${log}`)
  return {
    log: () => log,
    async exec(...args) {
      const enter = ['--target', pid, '--mount', '--pid', '--net', 'chroot', files]
      return (await run('nsenter', [...enter, 'env', '-i', ...config.Env, ...args])).stdout
    },
    async stop() {
      process.kill(Number(pid), 'SIGTERM')
      return (await exited)[0]
    },
  }
}

test('the image serves uploads as a user without rights, is healthy, and stops on SIGTERM', async () => {
  const volume = await temporaryDirectory()
  await chown(volume, 1000, 1000)
  const container = await startContainer(volume)
  const url = 'http://127.0.0.1:1080/files/'
  expect(await container.exec('node', '-e', uploadProgram, url)).toContain(url)
  expect(await readdir(volume)).toEqual(['uploads'])
  expect(await container.exec('tuskit', 'ls')).toContain('finished')
  const modules = await readdir(join(files, 'opt/tuskit/node_modules'))
  expect(modules).toContain('valibot')
  expect(modules).not.toContain('typescript')
  const [, ...health] = config.Healthcheck.Test
  await container.exec(...health)

  const status = await container.exec('node', '-p', `fs.readFileSync('/proc/1/status', 'utf8')`)
  expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m)
  expect(status).toMatch(/^CapEff:\t0+$/m)
  expect(status).toMatch(/^NoNewPrivs:\t1$/m)

  // `npm install --prefix /opt` installs plugins here.
  const acme = join(files, 'opt/node_modules/acme')
  await mkdir(acme, { recursive: true })
  await writeFile(join(acme, 'package.json'), '{ "exports": { "./plugin": "./plugin.mjs" } }')
  await writeFile(join(acme, 'plugin.mjs'), 'throw new Error("The plugin is loaded")')
  const check = ['check', '--plugin', 'acme/plugin', '--data', 'acme:']
  const report = container.exec(...config.Entrypoint, ...check)
  await expect(report).rejects.toMatchObject({
    stdout: expect.stringContaining('The plugin is loaded') as string,
  })

  expect(await container.stop()).toBe(0)
  expect(container.log()).toContain('Stopping')
})

test('the health check of the image fails when the volume cannot be read', async () => {
  const volume = await temporaryDirectory()
  await chown(volume, 1000, 1000)
  const container = await startContainer(volume)
  await rm(join(volume, 'uploads'), { recursive: true })
  await writeFile(join(volume, 'uploads'), 'no folder')
  const [, ...health] = config.Healthcheck.Test
  await expect(container.exec(...health)).rejects.toMatchObject({ code: 1 })
})
