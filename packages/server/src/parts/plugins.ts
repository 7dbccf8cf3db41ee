import { pathToFileURL } from 'node:url'
import { resolve as resolvePath } from 'node:path'
import { resolve } from 'import-meta-resolve'
import { didYouMean } from '../settings/nearest.js'
import { SettingError } from '../settings/setting-error.js'
import { builtIn } from './built-in.js'
import { importModule } from './import-module.js'
import type { Plugin } from './plugin.js'

/** The packages of tuskit that are used when they are installed, by the schemes of their URLs. */
const packages: Readonly<Record<string, string>> = {
  amqp: '@tuskit/amqp-hooks',
  amqps: '@tuskit/amqp-hooks',
  azure: '@tuskit/azure-store',
  consul: '@tuskit/consul',
  etcd: '@tuskit/etcd',
  gs: '@tuskit/gcs-store',
  mariadb: '@tuskit/mysql',
  mysql: '@tuskit/mysql',
  postgres: '@tuskit/postgres',
  postgresql: '@tuskit/postgres',
  redis: '@tuskit/redis',
  rediss: '@tuskit/redis',
  s3: '@tuskit/s3-store',
  sqlite: '@tuskit/sqlite',
}

/** The functions that make parts of a kind. */
type Maker<Kind extends keyof Plugin> = NonNullable<Plugin[Kind]>[string]

/** Finds the function that makes a part. */
export class Plugins {
  readonly #plugins: readonly Plugin[]

  private constructor(plugins: readonly Plugin[]) {
    this.#plugins = plugins
  }

  /** Imports the modules of the setting `plugin`, which count more than all others. */
  static async load(modules: readonly string[] = []): Promise<Plugins> {
    const loaded = await Promise.all(modules.map((name) => importPlugin(name)))
    return new Plugins([...loaded, builtIn])
  }

  /** Returns the function for the scheme of a URL. `setting` is for the error. */
  async find<Kind extends keyof Plugin>(
    kind: Kind,
    url: string,
    setting: string,
  ): Promise<Maker<Kind>> {
    const scheme = schemeOf(url, setting)
    const make = await this.findIfOffered(kind, url, setting)
    if (make !== undefined) return make
    const name = packages[scheme]
    if (name === undefined) throw this.#unknownScheme(kind, scheme, setting)
    throw new SettingError(`${setting} cannot be ${scheme}:, because ${name} does not offer that.`)
  }

  /** Returns the function for the scheme of a URL, unless its package offers none of this kind. */
  async findIfOffered<Kind extends keyof Plugin>(
    kind: Kind,
    url: string,
    setting: string,
  ): Promise<Maker<Kind> | undefined> {
    const scheme = schemeOf(url, setting)
    const makers = this.#plugins.map((plugin) => plugin[kind]?.[scheme])
    const known = makers.find((make) => make !== undefined)
    const name = packages[scheme]
    if (known !== undefined || name === undefined) return known as Maker<Kind> | undefined
    return (await importPlugin(`${name}/plugin`, name))[kind]?.[scheme] as Maker<Kind> | undefined
  }

  #unknownScheme(kind: keyof Plugin, scheme: string, setting: string): SettingError {
    const own = this.#plugins.flatMap((plugin) => Object.keys(plugin[kind] ?? {}))
    const isOfKind = (name: string) => name.endsWith('-hooks') === (kind === 'hooks')
    const others = Object.keys(packages).filter((name) => isOfKind(packages[name]!))
    const known = [...own, ...others].map((name) => `${name}:`)
    const hint = didYouMean(`${scheme}:`, known)
    return new SettingError(
      `${setting} has the scheme ${scheme}:, which no package offers.${hint} Packages of others are named by --plugin.`,
    )
  }
}

function schemeOf(url: string, setting: string): string {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):/i.exec(url) ?? []
  if (scheme !== undefined) return scheme
  throw new SettingError(`${setting} must be a URL such as file:./data, not '${url}'.`)
}

/**
 * Imports a module from the folder of the process or from where this program is installed.
 *
 * @param install - The package to install when there is no such module.
 */
async function importPlugin(name: string, install = name): Promise<Plugin> {
  const location = isPath(name) ? pathToFileURL(resolvePath(name)).href : locationOf(name, install)
  const module = (await importModule(location).catch((error: Error) => {
    throw new SettingError(`The plugin ${name} cannot be loaded: ${problemOf(error)}`, {
      cause: error,
    })
  })) as { readonly plugin?: Plugin }
  if (typeof module.plugin === 'object') return module.plugin
  throw new SettingError(`The plugin ${name} must export an object with the name plugin.`)
}

/** Returns what is wrong with a module. A missing client library is named with its remedy. */
function problemOf({ message }: Error): string {
  const [, missing] = /^Cannot find package '([^'/.][^']*)'/.exec(message) ?? []
  return missing === undefined
    ? message
    : `${missing} is not installed. Run: npm install ${missing}`
}

function isPath(name: string): boolean {
  return /^\.{0,2}\//.test(name)
}

function locationOf(name: string, install: string): string {
  for (const from of [pathToFileURL(`${process.cwd()}/`).href, import.meta.url]) {
    try {
      return resolve(name, from)
    } catch {
      // It may be installed in the other place.
    }
  }
  throw new SettingError(`${name} is not installed. Run: npm install ${install}`)
}
