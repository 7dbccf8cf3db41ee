// @ts-check
import { execSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Installs dependencies and builds the package when necessary. It runs before `npm start` and
 * `npm test`, so it needs only Node and npm.
 */
export function prepare() {
  // npm writes this file when an installation is complete.
  if (!existsSync(join(root, 'node_modules/.package-lock.json'))) run('npm ci --include=dev')
  // The build writes its types last, including this file.
  const built = join(root, 'dist/index.d.cts')
  if (!existsSync(built) || statSync(built).mtimeMs < newestSource()) run('npm run build')
}

/** @param {string} command */
function run(command) {
  execSync(command, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
}

function newestSource() {
  const inputs = ['package.json', 'tsconfig.json', 'src']
  // Directories count, too: removing a file changes their time.
  for (const name of readdirSync(join(root, 'src'), { recursive: true })) inputs.push(`src/${name}`)
  return Math.max(...inputs.map((name) => statSync(join(root, name)).mtimeMs))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) prepare()
