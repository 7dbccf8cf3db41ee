import type { WriteOptions } from '../capabilities/call-options.js'
import { TusError } from '../errors.js'

/**
 * Throws if the caller may no longer change the storage: `signal.reason` when the signal has
 * aborted, and `ERR_LOCK_LOST` when the lock is no longer held. Call it right before each change,
 * with nothing to wait for in between.
 *
 * @param options - The options of the operation, unchanged.
 *
 * @example
 * async create(upload, options) {
 *   assertMayChange(options)
 *   await mkdir(this.#path(upload))
 * }
 */
export function assertMayChange({ signal, fence }: Pick<WriteOptions, 'signal' | 'fence'>): void {
  signal.throwIfAborted()
  if (!fence.held()) throw new TusError('ERR_LOCK_LOST')
}
