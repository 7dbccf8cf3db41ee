import { kept } from './kept.js'
import { npm } from './npm.js'

/**
 * Returns a folder with exactly these packages in its `node_modules`, from the npm registry. They
 * are downloaded once and kept until the next `npm ci`. Use it for packages that few tests need and
 * that are too large to install with the repository.
 */
export async function installed(...packages: readonly string[]): Promise<string> {
  const [first] = packages as [string]
  const name = first.replace(/^@|@.*/g, '').replace('/', '-')
  return kept(name, packages.join(' '), (folder) =>
    npm('install', '--prefix', folder, '--no-save', '--ignore-scripts', ...packages),
  )
}
