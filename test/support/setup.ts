import { existsSync } from 'node:fs'
import { build } from 'tsup'
import manifest from '../../package.json' with { type: 'json' }

/**
 * Builds the public entries to `test/.dist` (JavaScript only, no types) once before all tests.
 * Tests that start child processes need the build, because Node 20 cannot import TypeScript.
 */
export default async function setup(): Promise<void> {
  const entries = Object.entries(manifest.tsup.entry).filter(([, source]) => existsSync(source))
  await build({
    ...(manifest.tsup as object),
    entry: Object.fromEntries(entries),
    outDir: 'test/.dist',
    format: 'esm',
    dts: false,
    // Another run may be using the directory.
    clean: false,
    config: false,
    silent: true,
  })
}
