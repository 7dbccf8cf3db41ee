import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Makes a directory for the data of all servers, which goes when the process ends. */
export async function scratchDirectory(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true })
  const home = await mkdtemp(join(parent, 'tuskit-bench-'))
  process.on('exit', () => rmSync(home, { recursive: true, force: true }))
  // Lets ext4 put each folder in it into another group of blocks. Otherwise all share one with what was there before,
  // and without a journal a file is made up to 40 times slower where others were removed in the last minutes.
  await promisify(execFile)('chattr', ['+T', home]).catch(() => {})
  return home
}
