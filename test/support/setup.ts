import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'tsup'
import manifest from '../../package.json' with { type: 'json' }

interface Manifest {
  readonly tsup: { readonly entry: Readonly<Record<string, string>> }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/**
 * Builds the public entries to `test/.dist`, and those of each package to its own `.dist`
 * (JavaScript only, no types), once before all tests. Tests that start child processes need the
 * builds, because Node 20 cannot import TypeScript.
 */
export default async function setup(): Promise<void> {
  await buildTo('test/.dist', '.', manifest)
  for (const name of readdirSync('packages')) {
    const folder = `packages/${name}`
    const path = `${folder}/package.json`
    if (existsSync(path)) {
      await buildTo(`${folder}/.dist`, folder, JSON.parse(readFileSync(path, 'utf8')) as Manifest)
    }
  }
}

async function buildTo(outDir: string, folder: string, manifest: Manifest): Promise<void> {
  const { tsup, dependencies, peerDependencies } = manifest
  const packages = Object.keys({ ...dependencies, ...peerDependencies })
  const entries = Object.entries(tsup.entry)
    .map(([name, source]) => [name, join(folder, source)] as const)
    .filter(([, source]) => existsSync(source))
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
