import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { getRawAsset, isSea } from 'node:sea'

const { resolve } = createRequire(import.meta.url)

/**
 * Returns a file that this package has or depends on, named as in an import. A single executable
 * contains it: see `binaries.mjs`.
 */
export function asset(name: string): Buffer {
  return isSea() ? Buffer.from(getRawAsset(name) as ArrayBuffer) : readFileSync(resolve(name))
}
