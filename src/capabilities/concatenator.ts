import type { Upload } from '../upload.js'
import type { WriteOptions } from './call-options.js'

/** Concatenates uploads. Filling the slot enables the concatenation extension. */
export interface Concatenator {
  /**
   * Writes the bytes of `partials`, in order, to the place of `final`, which
   * {@link DataStore.create} has made. The partials are finished, and must not be changed. One may
   * be listed more than once.
   *
   * Must be repeatable: after a failure or a crash it starts again from zero.
   */
  concatenate(final: Upload, partials: readonly Upload[], options: WriteOptions): Promise<void>
}
