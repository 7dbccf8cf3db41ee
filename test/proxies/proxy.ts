import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../docs/pages.js'
import type { ServiceOptions } from '../services/service-process.js'

/** A place in which a proxy of Debian is set up, as an administrator would do it in /etc. */
export interface Setup {
  /** An empty folder that belongs to the user of the proxy. */
  readonly home: string
  /** The file of examples/proxies, with the address of the server and changes of the test. */
  readonly configuration: string
  readonly httpPort: number
  readonly httpsPort: number
  /** Files in PEM. */
  readonly cert: string
  readonly key: string
  readonly certAndKey: string
}

/** A proxy with a configuration in examples/proxies. */
export interface Proxy {
  readonly name: string
  /** The file in examples/proxies. */
  readonly file: string
  readonly program: string
  readonly package: string
  /** Writes the configuration. Returns how to start the proxy in the foreground. */
  setUp(setup: Setup): Promise<Omit<ServiceOptions, 'user'>>
}

/**
 * Replaces strings, each of which must occur exactly once, so that the rest is the file that users
 * copy.
 */
export function replaceAll(
  text: string,
  replacements: readonly (readonly [from: string, to: string])[],
): string {
  return replacements.reduce((before, [from, to]) => {
    const [start, end, ...more] = before.split(from)
    if (end === undefined || more.length > 0) {
      throw new Error(`${JSON.stringify(from)} must occur exactly once in:\n${before}`)
    }
    return `${start}${to}${end}`
  }, text)
}

/**
 * Applies a change as a page shows it: lines that begin with `-` are replaced by those with `+`,
 * and the lines between them are the same in both.
 */
export function applyDiff(text: string, diff: string): string {
  const lines = diff.split('\n').filter((line) => line !== '')
  const side = (sign: string) =>
    lines
      .filter((line) => line.startsWith(sign) || line.startsWith(' '))
      .map((line) => `${line.slice(1)}\n`)
      .join('')
  return replaceAll(text, [[side('-'), side('+')]])
}

/** Returns a change that examples/proxies/README.md shows for a proxy. */
export async function changeOf(
  { name }: Proxy,
  change: 'cache' | 'prefix' | 'servers' | 'socket',
): Promise<(configuration: string) => string> {
  const page = await readFile(join(root, 'examples/proxies/README.md'), 'utf8')
  const [, after = ''] = page.split(`\n### ${name}: ${change}\n`)
  const [section = ''] = after.split(/^##/m)
  const diffs = [...section.matchAll(/^```diff\n([^]*?)^```$/gm)]
  if (diffs.length === 0) throw new Error(`No change "${name}: ${change}" is shown.`)
  return (text) => diffs.reduce((before, [, diff]) => applyDiff(before, diff!), text)
}

/** Returns the change for several servers, each of which is a host and port. */
export async function changeForServers(
  proxy: Proxy,
  servers: readonly string[],
): Promise<(configuration: string) => string> {
  const change = await changeOf(proxy, 'servers')
  return (configuration) => {
    const lines = change(configuration).split('\n')
    const listed = lines.filter((line) => /10\.0\.0\.\d+:1080/.test(line))
    const own = servers.map((server, i) =>
      listed[0]!.replace('10.0.0.11:1080', server).replace('tuskit1', `tuskit${i}`),
    )
    return lines.flatMap((line) => (listed.includes(line) ? own.splice(0) : [line])).join('\n')
  }
}
