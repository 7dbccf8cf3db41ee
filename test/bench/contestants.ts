import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { DatabasePlace } from './database-place.js'
import type { S3Place } from './s3-place.js'

/**
 * The checksum that a contestant of the options table sends. `none`: that of the base of the
 * comparison.
 */
export type SentChecksum = 'none' | 'sha1' | 'md5' | 'sha256' | 'sha512' | 'crc32'

/** A server that takes part, and how to start it. */
export interface Contestant {
  readonly name: string
  /**
   * Returns the command that serves from a directory. A program of this folder ignores the port: it
   * prints the one it chose.
   */
  command(directory: string, port: number): readonly [program: string, ...args: string[]]
  readonly choosesPort: boolean
  readonly checksum?: SentChecksum
}

/** The locations of programs and builds. */
export interface Places {
  /** The build of tuskit that is measured. */
  readonly build: string
  /** Another build of tuskit, to compare with. */
  readonly before?: string | undefined
  readonly tusd?: string | undefined
  readonly rustus?: string | undefined
  /** The server program of tuskit, which takes part with one worker and with two. */
  readonly program?: string | undefined
}

/**
 * Returns a server program of this folder. The path is right from the bundle in `test/.dist`, too.
 */
function program(
  name: string,
  file: string,
  given: object = {},
  nodeOptions: readonly string[] = [],
): Contestant {
  const path = fileURLToPath(new URL(`../bench/servers/${file}.mjs`, import.meta.url))
  return {
    name,
    choosesPort: true,
    command: (directory) => {
      return [process.execPath, ...nodeOptions, path, JSON.stringify({ directory, ...given })]
    },
  }
}

/** The server program, by its number of workers. */
export const programNames = ['program', 'workers-2']

/** Returns all servers that can take part, starting with the base of the comparison. */
export function allContestants({
  build,
  before,
  tusd,
  rustus,
  program: own,
}: Places): Contestant[] {
  const contestants = [program('limit', 'limit'), program('tuskit', 'tuskit', { build })]
  if (before !== undefined) contestants.push(program('before', 'tuskit', { build: before }))
  contestants.push(program('tus-node', 'tus-node'))
  if (tusd !== undefined) contestants.push({ name: 'tusd', choosesPort: false, command: tusdArgs })
  if (rustus !== undefined) {
    contestants.push({ name: 'rustus', choosesPort: false, command: rustusArgs })
  }
  if (own !== undefined) {
    for (const [index, name] of programNames.entries()) {
      const command = (directory: string, port: number) => ownArgs(directory, port, index + 1)
      contestants.push({ name, choosesPort: false, command })
    }
  }
  return contestants

  function ownArgs(directory: string, port: number, workers: number): [string, ...string[]] {
    const address = ['--port', `${port}`, '--data', `file:${directory}`]
    return [process.execPath, own!, ...address, '--workers', `${workers}`, '--log-level', 'warn']
  }

  // Both run without a log line for each request, like the other servers.
  function tusdArgs(directory: string, port: number): [string, ...string[]] {
    const address = ['-host', '127.0.0.1', '-port', `${port}`, '-base-path', '/files/']
    return [tusd!, ...address, '-upload-dir', directory, '-verbose=false']
  }

  function rustusArgs(directory: string, port: number): [string, ...string[]] {
    const address = ['--host', '127.0.0.1', '--port', `${port}`, '--url', '/files']
    const folders = ['--data-dir', directory, '--info-dir', directory]
    // It reads a whole body into memory, and refuses larger ones.
    const limits = ['--max-body-size', `${2 ** 32}`, '--log-level', 'ERROR']
    return [rustus!, ...address, ...folders, ...limits]
  }
}

/** A server that stores wrong bytes, for the tests. */
export const corrupting: Contestant = program('corrupting', 'corrupting')

/** tuskit with options other than the default. */
export function optionContestants(build: string): Contestant[] {
  return [
    program('tuskit', 'tuskit', { build }),
    program('durability disk', 'tuskit', { build, durability: 'disk' }),
    program('FileLocker', 'tuskit', { build, fileLocker: true }),
  ]
}

/** tuskit, receiving checksums. */
export function checksumContestants(build: string): Contestant[] {
  const checksums = ['none', 'sha1', 'md5', 'sha256', 'sha512', 'crc32'] as const
  return checksums.map((checksum) => ({
    ...program(checksum === 'none' ? 'tuskit' : checksum, 'tuskit', { build }),
    checksum,
  }))
}

/** The SDK's own uploads from memory, without a server between. */
export const sdkName = 'lib-storage'

/**
 * Returns all that can store in a bucket, starting with the base of the comparison. Packages import
 * `tuskit`, so the builds are not copies: they must not change meanwhile.
 */
export function s3Contestants(
  { bucket, config }: S3Place,
  { build, before }: Pick<Places, 'build' | 'before'>,
): Contestant[] {
  const given = { bucket, config }
  const tuskit = (name: string, from: string) => program(name, 's3-tuskit', given, preloading(from))
  return [
    program(sdkName, 's3-lib-storage', given),
    tuskit('tuskit', build),
    ...(before === undefined ? [] : [tuskit('before', before)]),
    program('tus-node', 's3-tus-node', given),
  ]
}

/** The places of records and locks that are compared, starting with the base of the comparison. */
export const databaseKinds = ['files', 'SQLite', 'Redis', 'PostgreSQL', 'MariaDB'] as const

/** Returns tuskit with records and locks in each place. The build must not change meanwhile. */
export function databaseContestants(
  { databases, sqlite }: DatabasePlace,
  build: string,
): Contestant[] {
  return databaseKinds.map((kind) => {
    const given = { kind, url: databases[kind]?.url, sqlite }
    return program(kind, 'database-tuskit', given, preloading(build))
  })
}

/** Returns options of Node with which packages, and the `tuskit` that they import, mean a build. */
function preloading(build: string): readonly string[] {
  return ['--import', resolve(build, '../programs/use-test-build.mjs')]
}
