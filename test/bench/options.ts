import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { databaseKinds, programNames, sdkName } from './contestants.js'
import { fullSizes, quickSizes, type Sizes } from './sizes.js'

/** The subject of the bench: servers, uploads into S3, or places of records and locks. */
export type Subject = 'servers' | 's3' | 'databases'

/** The options of the command line. */
export interface BenchOptions {
  readonly subject: Subject
  readonly sizes: Sizes
  readonly rounds: number
  /** Names of workloads. Absent: all. */
  readonly only: readonly string[] | undefined
  /** Names of servers. Absent: all that are installed. */
  readonly servers: readonly string[] | undefined
  /** The directory for the data. Absent: a temporary one. */
  readonly directory: string | undefined
  readonly tusd: string | undefined
  readonly rustus: string | undefined
  /** The server program of tuskit. */
  readonly program: string | undefined
  /** Another build of tuskit, which takes part as `before`. */
  readonly before: string | undefined
  readonly json: string | undefined
  readonly updateDocs: boolean
}

/**
 * Reads the command line. `workloads` are the names of the workloads. Throws a `TypeError` for a
 * wrong option.
 */
export function parseOptions(
  args: readonly string[],
  workloads: Readonly<Record<Subject, readonly string[]>>,
): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      s3: { type: 'boolean', default: false },
      databases: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
      servers: { type: 'string' },
      directory: { type: 'string' },
      tusd: { type: 'string' },
      rustus: { type: 'string' },
      program: { type: 'string' },
      before: { type: 'string' },
      json: { type: 'string' },
      'update-docs': { type: 'boolean', default: false },
    },
  })
  const rounds = Number(values.rounds ?? (values.quick ? 3 : 5))
  if (!Number.isSafeInteger(rounds) || rounds < 1) {
    throw new TypeError(`--rounds must be a whole number above 0, not ${values.rounds}`)
  }
  const path = (given: string | undefined) => (given === undefined ? undefined : resolve(given))
  const [before, tusd, rustus] = [path(values.before), path(values.tusd), path(values.rustus)]
  const program = path(values.program)
  const given = Object.entries({ before, tusd, rustus }).flatMap(([name, at]) => (at ? [name] : []))
  if (values.databases && (values.s3 || values.before)) {
    throw new TypeError(`--databases cannot be with --${values.s3 ? 's3' : 'before'}`)
  }
  const subject = values.s3 ? 's3' : values.databases ? 'databases' : 'servers'
  const servers = {
    servers: ['limit', 'tuskit', 'tus-node', ...given, ...(program ? programNames : [])],
    s3: [sdkName, 'tuskit', 'tus-node', ...(before ? ['before'] : [])],
    databases: databaseKinds,
  }
  return {
    subject,
    sizes: values.quick ? quickSizes : fullSizes,
    rounds,
    only: names('only', values.only, workloads[subject]),
    servers: names('servers', values.servers, servers[subject]),
    directory: path(values.directory),
    tusd,
    rustus,
    program,
    before,
    json: path(values.json),
    updateDocs: values['update-docs'],
  }
}

function names(
  option: string,
  given: string | undefined,
  known: readonly string[],
): readonly string[] | undefined {
  const chosen = given?.split(',')
  const unknown = chosen?.find((name) => !known.includes(name))
  if (unknown === undefined) return chosen
  throw new TypeError(`--${option} must be of ${known.join(', ')}, not ${unknown}`)
}
