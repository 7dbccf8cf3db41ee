import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { read } from './source-files.js'

test('the core depends on nothing', () => {
  expect(Object.keys(manifest).filter((key) => /dependencies$/i.test(key))).toEqual([
    'devDependencies',
  ])
})

test('the core is developed with four tools', () => {
  expect(Object.keys(manifest.devDependencies).toSorted()).toEqual(
    ['@types/node', 'tsup', 'typescript', 'vitest'].toSorted(),
  )
})

test('every entry that is built is exported, in both formats with types', () => {
  const exported = Object.fromEntries(
    Object.keys(manifest.tsup.entry).map((name) => [
      name === 'index' ? '.' : `./${name}`,
      {
        import: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
        require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` },
      },
    ]),
  )
  expect(manifest.exports).toEqual({ ...exported, './package.json': './package.json' })
})

test('the lock file serves every platform', () => {
  // A registry that lacks packages for other platforms leaves them out of the lock file. Where the
  // registry has them, `npm ci` refuses such a file. Add missing packages by hand, without an
  // `integrity`.
  type Locked = { readonly optionalDependencies?: Readonly<Record<string, string>> }
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> }
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) =>
        !(`node_modules/${name}` in lock.packages) &&
        !(`${path}/node_modules/${name}` in lock.packages),
    ),
  )
  expect(missing).toEqual([])
})
