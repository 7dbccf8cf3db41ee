import { must } from '../../check-options.js'

/** Options that all stores and lockers on the file system share. */
export interface DirectoryOptions {
  /**
   * The directory of the files, relative to the working directory at construction. If it is
   * missing, it is created at the first use, with a file `.tuskit` that identifies it. While that
   * file is not there (the disk is not mounted, the directory was renamed), or cannot be created at
   * the first use (the disk is full or read-only), every operation rejects with
   * `ERR_STORAGE_UNAVAILABLE` and creates nothing.
   */
  readonly directory: string
  /**
   * Whether the directory must already exist, with the file `.tuskit` in it. With `false`, it is
   * created at the first use after the start of a process.
   *
   * Set it to `true` for a directory on a disk that has to be mounted: a server that starts before
   * the disk would create another directory at the mount point. Create the file once by hand
   * (`touch uploads/.tuskit`), or by a run without this option.
   *
   * @default false
   */
  readonly mustExist?: boolean
  /**
   * When bytes count as stored.
   *
   * - `os`: when the operating system has them. They survive a crash of the process, including
   *   `kill -9`. A power failure can lose the last seconds.
   * - `disk`: when the disk has them. Every write waits for the disk, and so does every new name in
   *   a directory, every request for an offset and every record that is read. On a disk that takes
   *   a quarter of a millisecond for that, the throughput of chunks and small files was half
   *   (docs/performance.md).
   *
   * @default 'os'
   */
  readonly durability?: 'os' | 'disk'
  /**
   * The mode of new files, restricted by the umask of the process. It must let the owner read and
   * write.
   *
   * @default 0o666
   */
  readonly filePermissions?: number
  /**
   * The mode of new directories, restricted by the umask of the process. It must let the owner
   * read, write and enter.
   *
   * @default 0o777
   */
  readonly directoryPermissions?: number
}

/** Modes without which the store could not use its own files. Most decimal ones, like 644, fail. */
const beFilePermissions = {
  expectation: 'a file mode such as 0o640 that lets the owner read and write, at most 0o777',
  accepts: (v: unknown) => isMode(v, 0o600),
}

const beDirectoryPermissions = {
  expectation:
    'a directory mode such as 0o750 that lets the owner read, write and enter, at most 0o777',
  accepts: (v: unknown) => isMode(v, 0o700),
}

function isMode(value: unknown, needed: number): boolean {
  const mode = value as number
  return Number.isInteger(value) && mode >= 0 && mode <= 0o777 && (mode & needed) === needed
}

/** The rules of {@link DirectoryOptions}. */
export const directoryRules = {
  directory: { ...must.beText, required: true },
  mustExist: must.beBoolean,
  durability: must.beOneOf('os', 'disk'),
  filePermissions: beFilePermissions,
  directoryPermissions: beDirectoryPermissions,
}
