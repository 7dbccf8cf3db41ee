import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { build } from 'tsup'
import manifest from '../../package.json' with { type: 'json' }

/**
 * Builds the public entries to `test/.dist` (JavaScript only, no types) once before all tests, and
 * the packages that extend the core to `test/.dist/packages`. Tests that start child processes need
 * the build, because Node 20 cannot import TypeScript.
 */
export default async function setup(): Promise<void> {
  const entries = Object.entries(manifest.tsup.entry).filter(([, source]) => existsSync(source))
  await Promise.all([
    buildTo('test/.dist', manifest.tsup, Object.fromEntries(entries)),
    ...(existsSync('packages') ? readdirSync('packages') : []).map(buildPackage),
  ])
}

async function buildPackage(name: string): Promise<void> {
  const path = `packages/${name}/package.json`
  if (!existsSync(path)) return
  type Manifest = { readonly peerDependencies?: object; readonly tsup?: object }
  const { peerDependencies = {}, tsup = {} } = JSON.parse(readFileSync(path, 'utf8')) as Manifest
  if (!('tuskit' in peerDependencies)) return
  const entry = { index: `packages/${name}/src/index.ts` }
  await buildTo(`test/.dist/packages/${name}`, tsup, entry, Object.keys(peerDependencies))
}

async function buildTo(
  outDir: string,
  options: object,
  entry: Record<string, string>,
  external: readonly string[] = [],
): Promise<void> {
  await build({
    ...options,
    entry,
    outDir,
    external: external.flatMap((name) => [name, new RegExp(`^${name}/`)]),
    format: 'esm',
    dts: false,
    // Another run may be using the directory.
    clean: false,
    config: false,
    silent: true,
  })
}
