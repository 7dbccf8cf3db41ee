import type { Concatenator } from '../capabilities/concatenator.js'
import type { DataStore, Stat } from '../capabilities/data-store.js'
import type { InfoStore } from '../capabilities/info-store.js'
import type { AppendOptions } from '../capabilities/call-options.js'
import type { Terminator } from '../capabilities/terminator.js'
import type { UploadBody } from '../capabilities/upload-body.js'
import type { VerifiedAppender } from '../capabilities/verified-appender.js'
import type { Upload } from '../upload.js'
import { MeteredBody } from './metered-body.js'
import type { Space } from './space.js'

/** Reserves declared lengths at once if so configured, and other space as the bytes arrive. */
export function limitedDataStore(inner: DataStore, space: Space): DataStore {
  return {
    maxSize: inner.maxSize,
    locate: (upload) => inner.locate(upload),
    async create(upload, options) {
      if (upload.length) await space.reserve(upload, options)
      try {
        await inner.create(upload, options)
      } catch (error) {
        // Without the lock, the space may already belong to another holder.
        if (options.fence.held()) await space.settle(upload, () => ({ offset: 0 }))
        throw error
      }
    },
    stat: (upload, options) => inner.stat(upload, options),
    append: (upload, from, body, options) =>
      receive({ inner, space, upload, from, body, options }, (limited) =>
        inner.append(upload, from, limited, options),
      ),
  }
}

/** Chunks that await verification use space too, because they are on the disk. */
export function limitedVerifiedAppender(
  appender: VerifiedAppender,
  inner: DataStore,
  space: Space,
): VerifiedAppender {
  return {
    appendVerified: (upload, from, body, accept, options) =>
      receive({ inner, space, upload, from, body, options }, (limited, refused) =>
        // An incomplete chunk cannot be verified, so there is no wait for its end.
        appender.appendVerified(
          upload,
          from,
          limited,
          async () => !refused() && (await accept()),
          options,
        ),
      ),
  }
}

interface Reception {
  readonly inner: DataStore
  readonly space: Space
  readonly upload: Upload
  readonly from: Stat
  readonly body: UploadBody
  readonly options: AppendOptions
}

async function receive(
  { inner, space, upload, from, body, options }: Reception,
  store: (body: UploadBody, refused: () => boolean) => Promise<Stat>,
): Promise<Stat> {
  // Not new, unless it was declared after the creation.
  if (await space.reserve(upload, options)) return store(body, () => false)
  const limited = new MeteredBody(body, from.offset, (offset) =>
    space.take(upload, offset, options),
  )
  let stored: Stat | undefined
  try {
    stored = await store(limited, () => limited.refused)
  } finally {
    if (options.fence.held())
      await space.settle(upload, () => stored ?? inner.stat(upload, options))
  }
  limited.check()
  return stored
}

/** Releases space when the data is gone. */
export function limitedTerminator(inner: Terminator, space: Space): Terminator {
  return {
    async terminate(upload, options) {
      await inner.terminate(upload, options)
      await space.release(upload.id)
    },
  }
}

/** Reserves space for the final upload. Its partials keep theirs. */
export function limitedConcatenator(
  concatenator: Concatenator,
  inner: DataStore,
  space: Space,
): Concatenator {
  return {
    async concatenate(final, partials, options) {
      let length = 0
      for (const partial of partials) {
        length += partial.length ?? (await inner.stat(partial, options)).offset
      }
      await space.take(final, length, options)
      await concatenator.concatenate(final, partials, options)
    },
  }
}

/**
 * Watches records for rejections: a rejected upload gets no more bytes, so it keeps only their
 * space.
 */
export function limitedInfoStore(records: InfoStore, inner: DataStore, space: Space): InfoStore {
  return {
    create: (upload, options) => records.create(upload, options),
    get: (id, options) => records.get(id, options),
    async update(upload, options) {
      await records.update(upload, options)
      if (upload.state.kind !== 'rejected') return
      await space.settle(upload, () => inner.stat(upload, options))
    },
    async delete(id, options) {
      await records.delete(id, options)
      // Detached data belongs to the application.
      await space.release(id)
    },
  }
}
