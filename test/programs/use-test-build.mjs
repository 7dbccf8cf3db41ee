// Preload it with `node --import`: `tuskit` and the packages that extend it then mean the builds
// that the tests make of the sources.
import { register } from 'node:module'

const core = new URL('../.dist/', import.meta.url)
const packages = new URL('../../packages/', import.meta.url)
const hooks = `export function resolve(specifier, context, next) {
  const [, entry] = /^tuskit(?:\\/(.+))?$/.exec(specifier) ?? []
  const [, name, part] = /^@tuskit\\/([^/]+)(?:\\/(.+))?$/.exec(specifier) ?? []
  const isCore = specifier === 'tuskit' || entry !== undefined
  if (!isCore && name === undefined) return next(specifier, context)
  const url = isCore
    ? '${core}' + (entry ?? 'index') + '.js'
    : '${packages}' + name + '/.dist/' + (part ?? 'index') + '.js'
  return { url, shortCircuit: true }
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)
