import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { root } from './source-files.js'

const run = promisify(execFile)

/** Runs npm in the root of the repository. Resolves with its output. */
export async function npm(...args: readonly string[]): Promise<string> {
  const shell = process.platform === 'win32'
  const { stdout } = await run('npm', args, { cwd: root, shell, maxBuffer: 64 * 1024 * 1024 })
  return stdout
}
