// Preload it with `node --import`: `tuskit` then means the build that the tests make of the source.
import { register } from 'node:module'

const build = new URL('../.dist/', import.meta.url)
const hooks = `export function resolve(specifier, context, next) {
  const [, entry] = /^tuskit(?:\\/(.+))?$/.exec(specifier) ?? []
  const ours = specifier === 'tuskit' || entry !== undefined
  return ours ? { url: '${build}' + (entry ?? 'index') + '.js', shortCircuit: true } : next(specifier, context)
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)
