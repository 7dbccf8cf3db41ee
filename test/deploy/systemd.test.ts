import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { buildBinary } from '../../packages/server/binaries.mjs'
import { ensureProgram } from '../house/debian-packages.mjs'
import { root } from '../house/source-files.js'
import { temporaryDirectory, until } from '../support/serve.js'
import { offsetProgram, uploadProgram } from './upload-program.js'

const run = promisify(execFile)

const folder = 'examples/deploy/systemd'

let output: string
let binary: string

beforeAll(async () => {
  ensureProgram('systemd-analyze', 'systemd')
  ensureProgram('systemd-nspawn', 'systemd-container')
  output = await mkdtemp(join(tmpdir(), 'tuskit-binaries-'))
  binary = await buildBinary(output)
})
afterAll(() => rm(output, { recursive: true, force: true }))

test('the service keeps away from what it does not need', async () => {
  // From 0 to 10, here in tenths. systemd calls up to 2.0 OK.
  const command = ['security', '--offline=true', '--threshold=15', '--no-pager']
  const file = join(root, folder, 'tuskit.service')
  const { stdout } = await run('systemd-analyze', [...command, file])
  expect(stdout).toContain('Overall exposure level for tuskit.service')
})

/** A machine that systemd has booted, with the files of this one and a network of its own. */
async function bootMachine() {
  const cwd = await temporaryDirectory()
  // Changes go to memory, and vanish with the machine.
  const script = `
    mkdir memory && mount -t tmpfs tmpfs memory && cd memory
    mkdir changes work root
    mount -t overlay overlay -o lowerdir=/,upperdir=changes,workdir=work root
    : >root/etc/machine-id
    cp ${binary} root/usr/local/bin/tuskit
    cp ${join(root, folder)}/tuskit.yaml root/etc
    cp ${join(root, folder)}/tuskit.service ${join(root, folder)}/tuskit.socket root/etc/systemd/system
    # An unknown name is only a warning.
    complaints=$(systemd-analyze verify --root=root root/etc/systemd/system/tuskit.* 2>&1)
    if [ "$complaints" ]; then echo "$complaints" >&2; exit 1; fi
    exec systemd-nspawn --quiet --directory=root --register=no --keep-unit --settings=no \
      --private-network --console=pipe --boot systemd.unit=basic.target`
  const child = spawn('unshare', ['--mount', 'sh', '-ec', script], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'close')
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  }
  const leader = await until(
    async () => {
      if (child.exitCode !== null) throw new Error(`The machine has ended:\n${log}`)
      const children = `/proc/${child.pid}/task/${child.pid}/children`
      const pid = (await readFile(children, 'utf8')).trim()
      return pid !== '' &&
        (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')) === 'systemd\n'
        ? pid
        : ''
    },
    (pid) => pid !== '',
  )
  onTestFinished(async () => {
    process.kill(Number(leader), 'SIGKILL')
    await exited
  })
  const exec = async (...command: readonly string[]) => {
    const enter = ['--target', leader, '--all', ...command]
    return (await run('nsenter', enter)).stdout.trim()
  }
  /** Returns a property of the service, once it holds. */
  const property = (name: string, holds: (value: string) => boolean) =>
    until(() => exec('systemctl', 'show', '--value', '-p', name, 'tuskit').catch(() => ''), holds)
  await until(() => exec('systemctl', 'is-active', 'basic.target').catch(() => ''), isActive)
  return { exec, property }
}

const isActive = (state: string) => state === 'active'

const enable = ['systemctl', 'enable', '--now', 'tuskit.socket', 'tuskit.service']
const upload = [process.execPath, '-e', uploadProgram, 'http://127.0.0.1:1080/files/']
const offset = [process.execPath, '-e', offsetProgram]

test('systemd starts the service, again after a crash, and for a connection after a stop', async () => {
  const { exec, property } = await bootMachine()
  await exec(...enable)
  await property('ActiveState', isActive)
  const url = await exec(...upload)
  expect(await exec('ls', '/var/lib/tuskit/uploads')).toBe(url.replace(/.*\//, ''))

  const first = await property('MainPID', (pid) => pid !== '0')
  const status = await exec('cat', `/proc/${first}/status`)
  expect(status).toMatch(/^CapBnd:\t0+$/m)
  expect(status).toMatch(/^NoNewPrivs:\t1$/m)
  expect(status).toMatch(/^Seccomp:\t2$/m)
  expect(status).not.toMatch(/^Uid:\t0\b/m)

  await exec('kill', '-9', first)
  await property('MainPID', (pid) => pid !== '0' && pid !== first)
  expect(await exec(...offset, url)).toBe('5')

  await exec('systemctl', 'stop', 'tuskit.service')
  expect(await property('Result', () => true)).toBe('success')
  expect(await exec(...offset, url)).toBe('5')
  await property('ActiveState', isActive)
})

test('the service runs as a user that exists, with workers and hooks', async () => {
  const { exec, property } = await bootMachine()
  const prepare = `
    useradd --system tuskit
    mkdir /etc/systemd/system/tuskit.service.d /etc/hooks
    printf '[Service]\nDynamicUser=no\n' >/etc/systemd/system/tuskit.service.d/user.conf
    printf 'workers: 2\nhooks-dir: /etc/hooks\nhooks-outbox: ./outbox\n' >>/etc/tuskit.yaml
    printf '#!/bin/sh\ntouch /var/lib/tuskit/created\n' >/etc/hooks/post-create
    chmod 755 /etc/hooks/post-create`
  await exec('sh', '-ec', prepare)
  await exec(...enable)
  expect(await exec(...upload)).toContain('/files/')
  await until(
    () => exec('ls', '/var/lib/tuskit'),
    (names) => names.includes('created'),
  )
  expect(await exec('stat', '--format', '%F %U', '/var/lib/tuskit')).toBe('directory tuskit')
  await exec('systemctl', 'stop', 'tuskit.service')
  expect(await property('Result', () => true)).toBe('success')
})
