import { constants } from 'node:fs'
import type { Stat } from '../../capabilities/data-store.js'
import type { Finisher } from '../../capabilities/finisher.js'
import type { WriteOptions } from '../../capabilities/call-options.js'
import { assertMayChange } from '../../store-kit/assert-may-change.js'
import type { Upload } from '../../upload.js'
import type { Directory } from '../disk/directory.js'

/**
 * A date alone is in UTC. A time without a zone would be in the server's zone, so it is not
 * allowed.
 */
const isoDate = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/

/** More than any file system can keep, and within the range of `Date`. */
const milliseconds = /^-?\d{1,15}$/

/** Sets the modification time of finished files to the one in the metadata of their uploads. */
export class MtimeFinisher implements Finisher {
  readonly #key: string
  readonly #directory: Directory
  readonly #pathOf: (upload: Upload) => string

  constructor(key: string, directory: Directory, pathOf: (upload: Upload) => string) {
    this.#key = key
    this.#directory = directory
    this.#pathOf = pathOf
  }

  async finish(upload: Upload, _from: Stat, options: WriteOptions): Promise<void> {
    assertMayChange(options)
    const mtime = parseMtime(upload.metadata.values[this.#key])
    if (mtime === undefined) return
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)
    await this.#directory.use(
      async () => {
        const file = await this.#directory.openFile(this.#pathOf(upload), flags)
        try {
          assertMayChange(options)
          // Some file systems cannot set this time, or only for the owner. The upload succeeds
          // anyway.
          await file.setMtime(mtime).catch(() => {})
          if (this.#directory.onDisk) await file.sync()
        } finally {
          await file.close()
        }
      },
      { ENOENT: 'ERR_DATA_MISSING' },
    )
  }
}

/** Parses milliseconds since 1970 or an ISO 8601 date. Returns `undefined` for other text. */
function parseMtime(text = ''): Date | undefined {
  if (milliseconds.test(text)) return new Date(Number(text))
  const date = new Date(isoDate.test(text) ? text : NaN)
  return Number.isNaN(date.getTime()) ? undefined : date
}
