import type { ByteRange } from './capabilities/content-reader.js'
import { checkOptions, must } from './check-options.js'
import { TusError } from './errors.js'
import { neverAborts } from './never-aborts.js'
import type { Upload } from './upload.js'
import { detach } from './uploads/detach.js'
import type { Engine } from './uploads/engine.js'
import { noExchange } from './uploads/exchange.js'
import { finishPending, removeExpired } from './uploads/expire.js'
import { inspect, type Inspection } from './uploads/inspect.js'
import { list, type ListedUpload, type ListUploadsOptions } from './uploads/list.js'
import { openContent, type Content } from './uploads/read.js'
import { terminate } from './uploads/terminate.js'

/**
 * Operations on uploads for the application's own code. They do not run the `access` hook. For a
 * wrong option they throw, or reject with, a `TypeError`. Once the handler is closed, they throw,
 * or reject with, `ERR_SERVER_SHUTDOWN`.
 */
export interface Uploads {
  /**
   * Returns the record and the offset of an upload. Throws `ERR_UPLOAD_NOT_FOUND`,
   * `ERR_UPLOAD_GONE`, or the verdict on a rejected upload.
   */
  inspect(id: string): Promise<Inspection>
  /**
   * Returns the bytes of a finished upload, or where to get them. Without a range, returns all of
   * them. Throws as {@link Uploads.inspect} does, and `ERR_UPLOAD_NOT_FINISHED`.
   */
  read(
    id: string,
    options?: { readonly range?: ByteRange; readonly signal?: AbortSignal },
  ): Promise<Content>
  /**
   * Removes an upload, finished or not, and runs the terminate hooks. Throws
   * `ERR_UPLOAD_NOT_FOUND`, `ERR_UPLOAD_GONE`, `ERR_UPLOAD_REFERENCED`, or the rejection of the
   * hook.
   */
  terminate(id: string): Promise<void>
  /**
   * Hands a finished upload over to the application: deletes its record, leaves its data in place,
   * and returns the record, whose `storage.at` names that place. No hook runs. From then on,
   * requests for the upload get 404, and the handler never reads, counts or removes its data.
   *
   * With a `preFinish` or `postFinish` hook, you may detach an upload after you have moved its
   * data. Otherwise detach it first, because only the data shows that it is finished. You may call
   * this in `postFinish`, but not in hooks that run under the lock.
   *
   * Throws `ERR_UPLOAD_NOT_FINISHED`, `ERR_UPLOAD_REFERENCED` while a concatenation needs it,
   * `ERR_UPLOAD_NOT_FOUND`, `ERR_UPLOAD_GONE`, or the verdict on a rejected upload.
   */
  detach(id: string): Promise<Upload>
  /**
   * Lists uploads in the order of their ids, including those that cannot be read, with what is
   * known about each. Reads a few at a time, so stop iterating when you have enough. The next page
   * begins `after` the last id. Changes nothing and takes no locks.
   *
   * Throws `ERR_NOT_SUPPORTED` if the info store has no InfoLister.
   *
   * @example
   * for await (const { id } of handler.uploads.list({ state: 'open' })) console.log(id)
   */
  list(options?: ListUploadsOptions): AsyncIterable<ListedUpload>
  /**
   * Removes expired uploads, and completes removals that a crash cut off. Removes finished uploads
   * only with the option `expiration.finishedAfter`, and never an upload that is being written.
   * Returns the number of removed uploads.
   */
  removeExpired(options?: { readonly signal?: AbortSignal }): Promise<number>
  /**
   * Finishes uploads whose bytes are all stored but that, because of a crash, are not recorded as
   * finished. Call it when a server starts. Needs an info store with an InfoLister. Returns the
   * number of finished uploads.
   */
  finishPending(options?: { readonly signal?: AbortSignal }): Promise<number>
}

type ReadContentOptions = NonNullable<Parameters<Uploads['read']>[1]>

/** Returns the operations of an engine for the application. */
export function createUploads(engine: Engine): Uploads {
  const usable = () => {
    if (engine.closed) throw new TusError('ERR_SERVER_SHUTDOWN')
    return engine
  }
  return Object.freeze({
    inspect: async (id) => inspect(usable(), id, noExchange),
    async read(id, given = {}) {
      const { range, signal = neverAborts } = checkReadOptions(given)
      return (await openContent(usable(), id, noExchange)).read(range, signal)
    },
    async terminate(id) {
      await terminate(usable(), id, noExchange)
    },
    detach: async (id) => detach(usable(), id),
    list: (options = {}) => list(usable(), options),
    removeExpired: async (options = {}) =>
      removeExpired(usable(), signalIn('uploads.removeExpired', options)),
    finishPending: async (options = {}) =>
      finishPending(usable(), signalIn('uploads.finishPending', options)),
  } satisfies Uploads)
}

function checkReadOptions(given: ReadContentOptions): ReadContentOptions {
  const name = 'uploads.read'
  const options = checkOptions<ReadContentOptions>(name, given, {
    range: must.beObject,
    signal: must.beSignal,
  })
  if (options.range === undefined) return options
  const range = checkOptions<ByteRange>({ name, within: 'range' }, options.range, {
    start: { ...must.beSize, required: true },
    end: { ...must.beLimit, required: true },
  })
  return { ...options, range }
}

function signalIn(owner: string, given: { readonly signal?: AbortSignal }): AbortSignal {
  const { signal = neverAborts } = checkOptions<{ readonly signal?: AbortSignal }>(owner, given, {
    signal: must.beSignal,
  })
  return signal
}
