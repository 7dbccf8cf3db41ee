import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { npm } from '../house/npm.js'

const run = promisify(execFile)

/**
 * Fills a folder with what the build takes from Node's image: Node and npm as this machine has
 * them, a shell, and a few programs. npm uses the registry and the cache of this machine.
 */
export async function fillBaseImage(folder: string): Promise<void> {
  const copy = (from: string, to = from) =>
    cp(from, join(folder, to), { recursive: true, dereference: true })
  await copy(process.execPath, '/usr/local/bin/node')
  const modules = join(dirname(process.execPath), '../lib/node_modules/npm')
  await copy(modules, '/usr/local/lib/node_modules/npm')
  for (const name of ['npm', 'npx']) {
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(folder, 'usr/local/bin', name))
  }
  const programs = ['/bin/sh', '/bin/ln', '/usr/bin/env', '/usr/bin/install']
  for (const program of programs) await copy(program)
  const libraries = await Promise.all([process.execPath, ...programs].map(librariesOf))
  const libc = libraries.flat().find((path) => path.includes('/libc.so'))!
  // Rollup's native code needs this part of libc.
  libraries.push([join(dirname(libc), 'librt.so.1')])
  for (const library of new Set(libraries.flat())) await copy(library)
  for (const name of ['dev', 'proc', 'root', 'tmp']) await mkdir(join(folder, name))

  const [registry, certificates] = (await npm('config', 'get', 'registry', 'cafile'))
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\w+ ?= ?/, ''))
  const settings = [`registry=${registry}`, 'cache=/npm-cache', 'prefer-offline=true']
  if (certificates !== 'null' && certificates !== '') {
    await mkdir(join(folder, 'etc'))
    await writeFile(join(folder, 'etc/certificates.pem'), await readFile(certificates!))
    settings.push('cafile=/etc/certificates.pem')
  }
  await writeFile(join(folder, 'usr/local/lib/node_modules/npm/npmrc'), settings.join('\n'))
}

/** Returns the paths of the shared libraries that a program needs. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program])
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!)
}
