import type { Concatenator, ContentReader, Finisher, InfoStore, Terminator } from 'tuskit'
import type { Observation } from './observed-data.js'
import type { StoreTimer } from './store-timer.js'

/** Observes records, from which it derives what becomes of uploads. */
export function observedInfoStore(
  inner: InfoStore,
  { changes, live, timer }: Observation,
): InfoStore {
  return {
    async create(upload, options) {
      await timer.time('infoStore.create', () => inner.create(upload, options))
      changes.read(upload)
      live.describe(upload)
    },
    async get(id, options) {
      const upload = await timer.time('infoStore.get', () => inner.get(id, options))
      if (upload === undefined) live.forget(id)
      else {
        changes.read(upload)
        live.describe(upload)
      }
      return upload
    },
    async update(upload, options) {
      try {
        await timer.time('infoStore.update', () => inner.update(upload, options))
      } catch (error) {
        changes.notChanged(upload)
        throw error
      }
      changes.changed(upload)
      live.describe(upload)
    },
    async delete(id, options) {
      await timer.time('infoStore.delete', () => inner.delete(id, options))
      changes.deleted(id)
      live.forget(id)
    },
  }
}

export function timedConcatenator(inner: Concatenator, timer: StoreTimer): Concatenator {
  return {
    concatenate: (final, partials, options) =>
      timer.time('concatenator.concatenate', () => inner.concatenate(final, partials, options)),
  }
}

export function timedFinisher(inner: Finisher, timer: StoreTimer): Finisher {
  return {
    finish: (upload, from, options) =>
      timer.time('finisher.finish', () => inner.finish(upload, from, options)),
  }
}

export function timedTerminator(inner: Terminator, timer: StoreTimer): Terminator {
  return {
    terminate: (upload, options) =>
      timer.time('terminator.terminate', () => inner.terminate(upload, options)),
  }
}

/** Measures how long it takes to open the content, not how long the client reads it. */
export function timedContentReader(inner: ContentReader, timer: StoreTimer): ContentReader {
  return {
    read: (upload, range, options) =>
      timer.time('contentReader.read', () => inner.read(upload, range, options)),
  }
}
