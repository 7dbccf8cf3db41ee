import type { Upload } from '../upload.js'
import type { WriteOptions } from './call-options.js'

/** Joins uploads. Filling the slot turns the concatenation extension on. */
export interface Concatenator {
  /**
   * Fills the place of `final`, which {@link DataStore.create} made, with the bytes of `partials` in order. The
   * partials are finished and are left as they are; one may stand there more than once.
   *
   * Repeatable: after a failure or a crash it begins from zero.
   */
  concatenate(final: Upload, partials: readonly Upload[], options: WriteOptions): Promise<void>
}
