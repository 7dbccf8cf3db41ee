import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, posix } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { npm } from './npm.js'
import { prepare } from './prepare.mjs'
import { runtime } from './runtime.js'
import { codeFiles, packageFolders, read, root } from './source-files.js'

const run = promisify(execFile)

interface Manifest {
  readonly name: string
  readonly version: string
  readonly bin?: object
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional: boolean }>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const manifestIn = (folder: string) => JSON.parse(read(`${folder}/package.json`)) as Manifest

const packages = packageFolders()
/** Those that extend the core. The others are programs. */
const extensions = packages.filter((folder) => manifestIn(folder).bin === undefined)

let temporary: string
let core: string

beforeAll(async () => {
  prepare()
  temporary = await mkdtemp(join(tmpdir(), 'tuskit-packages-'))
  core = await pack('.')
})
afterAll(() => rm(temporary, { recursive: true, force: true }))

async function pack(folder: string): Promise<string> {
  const options = ['--ignore-scripts', '--json', '--pack-destination', temporary]
  const packed = await npm('pack', join(root, folder), ...options)
  const [{ filename }] = JSON.parse(packed) as readonly [{ readonly filename: string }]
  return join(temporary, filename.replace('@', '').replace('/', '-'))
}

test('packages import what strangers could: public entries of tuskit, and what they depend on', () => {
  const entries = Object.keys(manifest.tsup.entry)
  const isPublic = (name: string) =>
    entries.some((entry) => name === (entry === 'index' ? 'tuskit' : `tuskit/${entry}`))
  for (const folder of packages) {
    const { dependencies = {}, peerDependencies = {} } = manifestIn(folder)
    const used = Object.keys({ ...dependencies, ...peerDependencies })
    const files = codeFiles(`${folder}/src`)
    expect(files.length).toBeGreaterThan(0)
    const wrong = files.flatMap((file) =>
      ts
        .preProcessFile(read(file))
        .importedFiles.map(({ fileName }) => fileName)
        .filter((name) => {
          if (name.startsWith('node:')) return false
          if (name.startsWith('.')) {
            return !posix.join(posix.dirname(file), name).startsWith(`${folder}/`)
          }
          if (/^tuskit(\/|$)/.test(name)) return !isPublic(name)
          return !used.some((one) => name === one || name.startsWith(`${one}/`))
        })
        .map((name) => `${file}: ${name}`),
    )
    expect(wrong).toEqual([])
  }
})

test('files of src have at most 300 lines', () => {
  const files = packages.flatMap((folder) => codeFiles(`${folder}/src`))
  expect(files.filter((file) => read(file).split('\n').length > 301)).toEqual([])
})

describe.each(extensions)('%s', (folder) => {
  const { peerDependencies = {}, devDependencies = {}, ...own } = manifestIn(folder)
  /** Those without which the package is of no use. */
  const required = Object.keys(peerDependencies).filter(
    (name) => own.peerDependenciesMeta?.[name]?.optional !== true,
  )
  const name = basename(folder)

  test('looks like the others', () => {
    expect(own).toMatchObject({
      name: `@tuskit/${name}`,
      license: manifest.license,
      type: 'module',
      sideEffects: false,
      engines: manifest.engines,
      files: ['dist'],
      exports: { '.': manifest.exports['.'], './package.json': './package.json' },
      scripts: {
        build: 'tsup',
        test: `vitest run --root ../.. ${folder}`,
        prepack: 'node ../../test/house/prepare.mjs',
      },
      tsup: { entry: { index: 'src/index.ts' }, format: ['esm', 'cjs'], dts: true },
    })
    // The core and the client library are the application's, and each exists once.
    expect(own.dependencies).toBeUndefined()
    expect(devDependencies).toMatchObject({ tuskit: 'file:../..' })
    expect(Object.keys(peerDependencies)).toContain('tuskit')
    expect(Object.keys(devDependencies)).toEqual(expect.arrayContaining(required))
    expect(read(`${folder}/LICENSE`)).toBe(read('LICENSE'))
    expect(existsSync(join(root, folder, 'test'))).toBe(true)
  })

  test('its README has a row for each option, and what every README has', () => {
    const text = read(`${folder}/README.md`)
    expect(text).toMatch(new RegExp(`^# @tuskit/${name}\n`))
    const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading)
    expect(headings).toEqual(expect.arrayContaining(['Options', 'Guarantees', 'Limits']))
    const rows = [...text.matchAll(/^\| ((`\w+`(, )?)+) \|/gm)].flatMap(([, cell]) =>
      cell!.replaceAll('`', '').split(', '),
    )
    const options = codeFiles(`${folder}/src`).flatMap(optionsIn)
    expect(options.length).toBeGreaterThan(0)
    expect(options.filter((option) => !rows.includes(option))).toEqual([])
  })

  test('can be packed, imported and required on the oldest Node', async () => {
    const tarball = await pack(folder)
    const consumer = join(temporary, name)
    await mkdir(consumer)
    await writeFile(join(consumer, 'package.json'), '{ "private": true }')
    const where = ['--prefix', consumer, '--offline', '--legacy-peer-deps']
    await npm('install', ...where, core, tarball)
    // The client libraries are those of this repository.
    for (const peer of required.filter((one) => one !== 'tuskit')) {
      const link = join(consumer, 'node_modules', peer)
      await mkdir(dirname(link), { recursive: true })
      await symlink(join(root, 'node_modules', peer), link)
    }
    const programs = {
      'esm.mjs': `import * as all from '@tuskit/${name}'; console.log(Object.keys(all).join())`,
      'commonjs.cjs': `console.log(Object.keys(require('@tuskit/${name}')).join())`,
    }
    const node = await runtime('node', '20.15.0')
    const printed: string[] = []
    for (const [file, program] of Object.entries(programs)) {
      await writeFile(join(consumer, file), program)
      const { stdout } = await run(node, [file], { cwd: consumer })
      printed.push(stdout.trim())
    }
    expect(printed[0]).toMatch(/^\w+/)
    expect(printed[1]).toBe(printed[0])

    const published = await npm('exec', '--no', '--', 'publint', 'run', tarball, '--strict')
    expect(published).toMatch(/All good/)
    const options = ['--profile', 'node16', '--format', 'ascii', '--no-definitely-typed']
    // It fails when it finds a problem.
    const report = await npm('exec', '--no', '--', 'attw', tarball, ...options)
    expect(report).toMatch(/node16 \(from ESM\): 🟢 \(ESM\)/)
    expect(report).toMatch(/node16 \(from CJS\): 🟢 \(CJS\)/)
  })
})

/** Returns the members of exported interfaces named `…Options`. */
function optionsIn(file: string): string[] {
  const { statements } = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest)
  return statements
    .filter(ts.isInterfaceDeclaration)
    .filter(({ name, modifiers }) => modifiers !== undefined && name.text.endsWith('Options'))
    .flatMap(({ members }) => members.filter(ts.isPropertySignature))
    .map(({ name }) => (name as ts.Identifier).text)
}
