import { storageError, type Meanings } from './storage-error.js'

/**
 * Returns the result of `work`. When it rejects, rejects with what {@link storageError} makes of
 * the failure.
 *
 * @example
 * const { size } = await translated(stat(path), { ENOENT: 'ERR_DATA_MISSING' })
 */
export async function translated<T>(work: Promise<T>, meanings?: Meanings): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw storageError(error, meanings)
  }
}
