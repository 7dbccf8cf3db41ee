// @ts-check
// Runs the tests of a package with the server of Debian's unstable suite, which is newer than that
// of Debian 12: npm run test:newer -- ceph|mysql|valkey [paths]
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureProgram } from '../house/debian-packages.mjs'
import { newerDebian as root, newerVariable } from './newer-debian.mjs'

/** @typedef {{ tests: string, server: string, packages: readonly string[] }} Service */

/** @type {Record<string, Service | undefined>} */
const services = {
  ceph: {
    tests: 'packages/s3-store',
    server: 'radosgw',
    packages: ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph-common'],
  },
  mysql: { tests: 'packages/mysql', server: 'mysqld', packages: ['mysql-server-core'] },
  valkey: {
    tests: 'packages/redis',
    server: 'valkey-server',
    packages: ['valkey-server', 'valkey-tools', 'valkey-sentinel'],
  },
}
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
const environment = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }

const [name = '', ...given] = process.argv.slice(2)
const hasPaths = given.some((argument) => !argument.startsWith('-'))
const service = services[name]
if (service === undefined) {
  throw new Error(`Say which service: ${Object.keys(services).join(', ')}, not '${name}'`)
}
if (process.getuid?.() !== 0) throw new Error('The folder of another Debian needs root')
if (!existsSync(root)) makeRoot()
await withMounts(async () => {
  if (!isInstalled(service.packages)) install(service.packages)
  run('chroot', root, service.server, '--version')
  process.exitCode = await test(hasPaths ? given : [service.tests, ...given])
})

/** Makes the folder under another name, so that one that is there is complete. */
function makeRoot() {
  ensureProgram('debootstrap')
  const format = ['--format', '$(REPO_URI)', 'Created-By: Packages']
  const sources = execFileSync('apt-get', ['indextargets', ...format], { encoding: 'utf8' })
  const mirror = sources.split('\n').find((uri) => uri.endsWith('/debian/'))
  if (mirror === undefined) throw new Error('The sources of apt name no Debian')
  const making = `${root}.part`
  rmSync(making, { recursive: true, force: true })
  run('debootstrap', '--variant=minbase', `--keyring=${keyring}`, 'unstable', making, mirror)
  // A mirror can be older than its lists are valid. The signature is checked all the same.
  const settings = 'Acquire::Check-Valid-Until "false"; APT::Sandbox::User "root";\n'
  writeFileSync(join(making, 'etc/apt/apt.conf.d/99tuskit'), settings)
  // Packages start no services.
  writeFileSync(join(making, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  mkdirSync(join(making, tmpdir()), { recursive: true })
  renameSync(making, root)
}

/** @param {readonly string[]} packages */
function isInstalled(packages) {
  const query = ['dpkg-query', '--show', '--showformat=${db:Status-Status}\n', ...packages]
  const { stdout } = spawnSync('chroot', [root, ...query], { encoding: 'utf8' })
  return stdout.split('\n').filter((state) => state === 'installed').length === packages.length
}

/** @param {readonly string[]} packages */
function install(packages) {
  // By default, lists that cannot be fetched are a warning.
  run('chroot', root, 'apt-get', '-q', '--error-on=any', 'update')
  run('chroot', root, 'apt-get', 'install', '-qy', '--no-install-recommends', ...packages)
}

/**
 * Does something while the folder has the file systems that programs need.
 *
 * @param {() => Promise<void>} work
 */
async function withMounts(work) {
  // Ctrl+C ends the child processes, too, and this one still has to unmount.
  process.on('SIGINT', () => {})
  /** @type {string[]} */
  const mounted = []
  /** @param {string} name @param {readonly string[]} how */
  const mount = (name, ...how) => {
    const place = join(root, name)
    run('mount', ...how, place)
    mounted.push(place)
  }
  try {
    mount('proc', '-t', 'proc', 'proc')
    mount('dev', '--bind', '/dev')
    await work()
  } finally {
    // Servers of tests that were killed may still use it.
    for (const place of mounted.reverse()) run('umount', '--lazy', place)
  }
}

/**
 * Runs tests. Resolves with the exit code.
 *
 * @param {readonly string[]} paths
 */
async function test(paths) {
  const env = { ...process.env, [newerVariable]: name }
  const child = spawn('vitest', ['run', ...paths], { stdio: 'inherit', env })
  process.on('SIGTERM', () => child.kill())
  const [code] = await once(child, 'exit')
  return typeof code === 'number' ? code : 1
}

/** @param {string} program @param {readonly string[]} args */
function run(program, ...args) {
  execFileSync(program, args, { stdio: 'inherit', env: environment })
}
