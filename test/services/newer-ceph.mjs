// @ts-check
// Runs the tests of S3Store with the gateway of Debian's unstable suite, which knows checksums and
// conditions that the one of Debian 12 lacks, and with the checksums that clients send by default.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureProgram } from '../house/debian-packages.mjs'

const root = join(tmpdir(), 'tuskit-debian-unstable')
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
const isMade = join(root, '.made')

/** @param {string} program @param {readonly string[]} args */
const run = (program, ...args) =>
  execFileSync(program, args, { stdio: 'inherit', env: { ...process.env, LC_ALL: 'C' } })

if (process.getuid?.() !== 0) throw new Error('The folder of another Debian needs root')
ensureProgram('debootstrap')
if (!existsSync(isMade)) {
  const format = ['--format', '$(REPO_URI)', 'Created-By: Packages']
  const sources = execFileSync('apt-get', ['indextargets', ...format], { encoding: 'utf8' })
  const mirror = sources.split('\n').find((uri) => uri.endsWith('/debian/'))
  if (mirror === undefined) throw new Error('The sources of apt name no Debian')
  run('debootstrap', '--variant=minbase', `--keyring=${keyring}`, 'unstable', root, mirror)
  // A mirror can be older than its lists are valid. The signature is checked all the same.
  const settings = 'Acquire::Check-Valid-Until "false"; APT::Sandbox::User "root";\n'
  writeFileSync(join(root, 'etc/apt/apt.conf.d/99tuskit'), settings)
  writeFileSync(join(root, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  const install = ['install', '-qy', '--no-install-recommends']
  run('chroot', root, 'apt-get', '-q', 'update')
  run('chroot', root, 'apt-get', ...install, 'ceph-mon', 'ceph-osd', 'radosgw', 'ceph-common')
  mkdirSync(join(root, tmpdir()), { recursive: true })
  writeFileSync(isMade, '')
}

const [proc, dev] = [join(root, 'proc'), join(root, 'dev')]
run('mount', '-t', 'proc', 'proc', proc)
run('mount', '--bind', '/dev', dev)
try {
  run('chroot', root, 'radosgw', '--version')
  const tests = process.argv.slice(2)
  const env = { ...process.env, TUSKIT_TEST_CEPH_ROOT: root }
  const args = ['vitest', 'run', ...(tests.length > 0 ? tests : ['packages/s3-store'])]
  process.exitCode = spawnSync('npx', args, { stdio: 'inherit', env }).status ?? 1
} finally {
  run('umount', proc, dev)
}
