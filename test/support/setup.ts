import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'tsup'
import { builtFolders } from '../house/prepare.mjs'

interface Manifest {
  readonly tsup: { readonly entry: Readonly<Record<string, string>> }
  readonly dependencies?: object
  readonly peerDependencies?: object
}

/**
 * Builds the public entries to `test/.dist`, and those of each package to its own `.dist`
 * (JavaScript only, no types), once before all tests. Tests that start child processes need the
 * builds, because Node 20 cannot import TypeScript.
 */
export default async function setup(): Promise<void> {
  await Promise.all(
    builtFolders().map((folder) => {
      return buildIn(folder, folder === '.' ? 'test/.dist' : `${folder}/.dist`)
    }),
  )
}

async function buildIn(folder: string, outDir: string): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  const { tsup, dependencies, peerDependencies } = manifest
  const entries = Object.entries(tsup.entry)
    .map(([name, source]) => [name, join(folder, source)] as const)
    .filter(([, source]) => existsSync(source))
  const packages = Object.keys({ ...dependencies, ...peerDependencies })
  await build({
    ...(tsup as object),
    entry: Object.fromEntries(entries),
    outDir,
    external: packages.map((name) => new RegExp(`^${name}(/|$)`)),
    format: 'esm',
    dts: false,
    // Another run may be using the directory.
    clean: false,
    config: false,
    silent: true,
  })
}
