import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Creates a directory for the data of all servers, which is removed when the process ends. */
export async function scratchDirectory(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true })
  const home = await mkdtemp(join(parent, 'tuskit-bench-'))
  process.on('exit', () => rmSync(home, { recursive: true, force: true }))
  // Makes ext4 put each folder in it into another group of blocks. Otherwise all share one with
  // older files, and without a journal ext4 creates files up to 40 times slower where others were
  // removed in the last minutes.
  await promisify(execFile)('chattr', ['+T', home]).catch(() => {})
  return home
}
