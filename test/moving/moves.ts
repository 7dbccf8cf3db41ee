import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

/** The place that the servers of a move share. */
export interface Place {
  readonly directory: string
  readonly port: number
  /** The URL of a hook that learns which uploads are finished. */
  readonly hook: string
}

type Command = readonly [program: string, ...args: string[]]

/** A move from another server to tuskit, as the pages about it describe it. */
export interface Move {
  readonly name: string
  before(place: Place): Command
  /** The arguments of `tuskit adopt`. */
  adopt(directory: string): readonly string[]
  after(place: Place): Command
}

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** The program as `npm run build` leaves it. */
export const program = file('packages/server/dist/program.js')

export function fromTusNode(): Move {
  const run =
    (name: string) =>
    ({ directory, port, hook }: Place): Command => [
      process.execPath,
      file(`test/moving/servers/${name}.mjs`),
      ...[directory, String(port), hook],
    ]
  return {
    name: '@tus/server',
    before: run('tus-node'),
    adopt: (directory) => ['--from', 'tus-node', directory],
    after: run('tuskit'),
  }
}

export function fromTusd(tusd: string): Move {
  return {
    name: 'tusd',
    before: ({ directory, port, hook }) => [
      tusd,
      ...['-host', '127.0.0.1', '-port', String(port), '-upload-dir', directory],
      ...['-hooks-http', hook, '-hooks-enabled-events', 'post-finish'],
    ],
    adopt: (directory) => ['--from', 'tusd', directory],
    after: (place) => tuskit(place, place.directory, ['--hooks-format', 'tusd']),
  }
}

export function fromRustus(rustus: string): Move {
  const dataOf = (directory: string) => join(directory, 'data')
  const infoOf = (directory: string) => join(directory, 'info')
  return {
    name: 'Rustus',
    before: ({ directory, port, hook }) => [
      rustus,
      ...['--host', '127.0.0.1', '--port', String(port), '--max-body-size', String(2 ** 30)],
      ...['--data-dir', dataOf(directory), '--info-dir', infoOf(directory)],
      ...['--dir-structure', '{year}/{month}/{day}'],
      ...['--hooks-http-urls', hook, '--hooks', 'post-finish'],
    ],
    adopt: (directory) => ['--from', 'rustus', dataOf(directory), '--records', infoOf(directory)],
    after: (place) => tuskit(place, dataOf(place.directory), ['--hooks-format', 'rustus']),
  }
}

function tuskit({ port, hook }: Place, data: string, format: readonly string[]): Command {
  return [
    process.execPath,
    program,
    ...['--port', String(port), '--data', `file:${data}`, '--log-level', 'warn'],
    ...['--hooks-http', hook, '--hooks-events', 'post-finish', ...format],
  ]
}
