// @ts-check
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Returns the changelog entry of the version that a tag releases. Throws if the tag, the manifest
 * and the changelog disagree.
 *
 * @param {string} tag such as `v0.1.0`
 * @param {string} version of the manifest
 * @param {string} changelog
 */
export function entryFor(tag, version, changelog) {
  if (tag !== `v${version}`) throw new Error(`The tag is ${tag}, and package.json has ${version}`)
  const [, ...entries] = changelog.split(/^## /m)
  const entry = entries.find((text) => text.startsWith(`[${version}]`))
  if (entry === undefined) throw new Error(`CHANGELOG.md has no entry for ${version}`)
  const [heading = '', ...lines] = entry.split('\n')
  if (!/ - \d{4}-\d\d-\d\d$/.test(heading)) {
    throw new Error(`CHANGELOG.md has no date for ${version}`)
  }
  return lines.join('\n').trim()
}

/** Returns the folders of the packages that are published, the root first. */
export function publicPackages() {
  const packages = join(root, 'packages')
  const others = existsSync(packages) ? readdirSync(packages).map((name) => `packages/${name}`) : []
  return ['.', ...others].filter((folder) => {
    const file = join(root, folder, 'package.json')
    return existsSync(file) && manifestIn(folder).private !== true
  })
}

/**
 * Publishes what the registry does not have yet, so that a release that failed halfway can be
 * repeated.
 */
function publish() {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env
  for (const folder of publicPackages()) {
    const { name, version } = manifestIn(folder)
    if (isPublished(`${name}@${version}`)) {
      console.log(`${name}@${version} is published already`)
      continue
    }
    const cwd = join(root, folder)
    // The registry accepts a provenance only if the manifest names the repository.
    const url = `repository.url=git+${server}/${repository}.git`
    const directory = folder === '.' ? [] : [`repository.directory=${folder}`]
    npm(cwd, 'pkg', 'set', 'repository.type=git', url, ...directory)
    npm(cwd, 'publish', '--provenance', '--access', 'public')
  }
}

/** @param {string} spec */
function isPublished(spec) {
  try {
    execFileSync('npm', ['view', spec, 'version', '--json'], { encoding: 'utf8', stdio: 'pipe' })
    return true
  } catch (error) {
    const { stdout, stderr } = /** @type {{ stdout: string, stderr: string }} */ (error)
    if (`${stdout}${stderr}`.includes('E404')) return false
    throw error
  }
}

/**
 * @param {string} cwd
 * @param {readonly string[]} args
 */
function npm(cwd, ...args) {
  execFileSync('npm', args, { cwd, stdio: 'inherit' })
}

/**
 * @param {string} folder
 * @returns {{ name: string, version: string, private?: boolean }}
 */
function manifestIn(folder) {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [command, tag = ''] = process.argv.slice(2)
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8')
  if (command === 'check') console.log(entryFor(tag, manifestIn('.').version, changelog))
  else if (command === 'publish') publish()
  else throw new Error('Usage: node test/house/release.mjs check <tag> | publish')
}
