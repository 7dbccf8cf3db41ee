// Preload it with `node --import`: `tuskit` and the packages that extend it then mean the builds
// that the tests make of the sources.
import { register } from 'node:module'

const build = new URL('../.dist/', import.meta.url)
const hooks = `export function resolve(specifier, context, next) {
  const [, ours, name] = /^(@?)tuskit(?:\\/(.+))?$/.exec(specifier) ?? []
  if (ours === undefined) return next(specifier, context)
  const file = ours === '@' ? 'packages/' + name + '/index.js' : (name ?? 'index') + '.js'
  return { url: '${build}' + file, shortCircuit: true }
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)
