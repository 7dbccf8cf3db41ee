import { isSea } from 'node:sea'
import { constants, Script } from 'node:vm'

/** Imports a module from a URL. */
export function importModule(url: string): Promise<object> {
  if (!isSea()) return import(url) as Promise<object>
  // In Node 26, a single executable imports only what Node contains, unless it is compiled so.
  const loader = { importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER }
  const load = new Script('(url) => import(url)', loader).runInThisContext() as typeof importModule
  return load(url)
}
