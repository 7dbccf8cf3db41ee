// @ts-check
import { execSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Installs dependencies and builds all packages when necessary. It runs before `npm start` and
 * `npm test`, so it needs only Node and npm.
 */
export function prepare() {
  // npm writes this file when an installation is complete.
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) run('npm ci --include=dev')
  if (isOutdated()) run('npm run build')
}

/** Returns the folders that are built: the root first, then the packages with a script for it. */
export function builtFolders() {
  const packages = existsSync(join(root, 'packages')) ? readdirSync(join(root, 'packages')) : []
  return ['.', ...packages.map((name) => `packages/${name}`)].filter((folder) => {
    const manifest = join(root, folder, 'package.json')
    return existsSync(manifest) && read(manifest).scripts?.build !== undefined
  })
}

/**
 * Returns whether a build is missing, or older than a source. The types of a package depend on
 * those of others.
 */
function isOutdated() {
  const folders = builtFolders()
  const built = folders.map((folder) => {
    const { tsup } = read(join(root, folder, 'package.json'))
    // The build writes its types last, including this file.
    const types = tsup?.format?.includes('cjs') ? 'dist/index.d.cts' : 'dist/index.d.ts'
    const file = join(root, folder, types)
    return existsSync(file) ? statSync(file).mtimeMs : 0
  })
  return Math.min(...built) < Math.max(...folders.map(newestSource))
}

/** @param {string} command */
function run(command) {
  execSync(command, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
}

/** @param {string} folder */
function newestSource(folder) {
  const inputs = ['package.json', 'src', ...(folder === '.' ? ['tsconfig.json'] : [])]
  // Directories count, too: removing a file changes their time.
  for (const name of readdirSync(join(root, folder, 'src'), { recursive: true })) {
    inputs.push(`src/${name}`)
  }
  return Math.max(...inputs.map((name) => statSync(join(root, folder, name)).mtimeMs))
}

/** @param {string} manifest */
function read(manifest) {
  return JSON.parse(readFileSync(manifest, 'utf8'))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) prepare()
