import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { npm } from './npm.js'
import { root } from './source-files.js'

/**
 * A folder with exactly these packages in its `node_modules`, from the npm registry. They are fetched once and kept until
 * the next `npm ci`. For what only single tests need and is too large for everybody who installs the repository.
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
    // Under a name of its own until it is whole: another test run may be doing the same.
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
