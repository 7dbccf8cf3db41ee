import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from './source-files.js'

/**
 * Returns a folder that `fill` has filled. It is kept until the next `npm ci`, and filled again
 * when `contents` changes, which names everything in it with exact versions.
 */
export async function kept(
  name: string,
  contents: string,
  fill: (folder: string) => Promise<unknown>,
): Promise<string> {
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 8)
  const home = join(root, 'node_modules/.cache/tuskit', `${name}-${hash}`)
  if (!existsSync(home)) {
    await mkdir(join(home, '..'), { recursive: true })
    // Another test run may be doing the same, so use a unique name until the folder is complete.
    const fresh = await mkdtemp(`${home}-`)
    try {
      await fill(fresh)
      await rename(fresh, home).catch((error: unknown) => {
        if (!existsSync(home)) throw error
      })
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  }
  return home
}
