import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { npm } from './npm.js'
import { root } from './source-files.js'

/**
 * Returns a folder with exactly these packages in its `node_modules`, from the npm registry. They
 * are downloaded once and kept until the next `npm ci`. Use it for packages that few tests need and
 * that are too large to install with the repository.
 */
export async function installed(...packages: readonly string[]): Promise<string> {
  const [first] = packages as [string]
  const hash = createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 8)
  const home = join(
    root,
    'node_modules/.cache/tuskit',
    `${first.replace(/^@|@.*/g, '').replace('/', '-')}-${hash}`,
  )
  if (!existsSync(home)) {
    await mkdir(join(home, '..'), { recursive: true })
    // Another test run may be doing the same, so use a unique name until the folder is complete.
    const fresh = await mkdtemp(`${home}-`)
    try {
      await npm('install', '--prefix', fresh, '--no-save', '--ignore-scripts', ...packages)
      await rename(fresh, home).catch((error: unknown) => {
        if (!existsSync(home)) throw error
      })
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  }
  return home
}
