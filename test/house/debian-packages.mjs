// @ts-check
import { execFileSync, execSync } from 'node:child_process'

/**
 * Installs the Debian package of a program unless the program is there. If this is not possible,
 * throws an error that says what to do.
 *
 * @param {string} program its command
 * @param {string} name of the package
 */
export function ensureProgram(program, name = program) {
  if (isThere(program)) return
  const advice = `The tests need ${program}: install the Debian package ${name}`
  if (process.getuid?.() !== 0 || !isThere('apt-get')) throw new Error(advice)
  // Other tests may be installing at the same time, and apt-get waits only in some of its steps.
  const apt = `apt-get -q update && apt-get -qy install --no-install-recommends ${name}`
  const install = `for try in 1 2 3 4 5; do command -v ${program} && exit; ${apt} || sleep 5; done; command -v ${program}`
  try {
    execFileSync('flock', ['/tmp/tuskit-debian-packages.lock', 'sh', '-c', install], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
  } catch (cause) {
    throw new Error(advice, { cause })
  }
}

/** @param {string} program */
function isThere(program) {
  try {
    execSync(`command -v ${program}`, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
