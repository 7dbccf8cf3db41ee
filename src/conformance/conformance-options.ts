import type { StoreComposer } from '../store-composer.js'
import type { Upload } from '../upload.js'
import type { SlotName } from './slots.js'

/** What one case is run against. Members of your own are handed back to the functions of the options. */
export interface Subject {
  /** Filled as in an application: by `useIn`, or slot by slot. */
  readonly composer: Pick<StoreComposer, 'slots'>
  /** Called after the case, whether it succeeded or not. Absent: there is nothing to clean up. */
  readonly dispose?: () => unknown
}

/** Options of `conformanceSuite`. */
export interface ConformanceOptions<S extends Subject = Subject> {
  /**
   * Registers a test: `test` of vitest, node:test or Bun, `it` of mocha or jest, or a function of your own. The
   * cases do not depend on each other and may run in any order.
   */
  readonly test: (name: string, run: () => Promise<void>) => unknown
  /**
   * The slots that the factory fills. Each switches the cases of its capability on, and there is no other way to
   * switch cases off; a case fails when the factory fills others. `dataStore` is needed for the capabilities of
   * data, `infoStore` for those of records.
   */
  readonly slots: readonly SlotName[]
  /** Makes a subject with nothing in it, for each case a new one. */
  readonly factory: () => S | Promise<S>
  /**
   * Reads what is stored. Needed, and used, only when `dataStore` is among the slots and `contentReader` is not: a
   * suite that never looks at the bytes would prove little.
   */
  readonly content?: (upload: Upload, subject: S) => Uint8Array | Promise<Uint8Array>
  /**
   * Makes a second instance over the medium of the subject, as another process would have. Promises that several
   * processes may share the medium: readers ask the second instance, changes come from both.
   *
   * Absent: one instance does everything.
   */
  readonly another?: (subject: S) => Subject['composer'] | Promise<Subject['composer']>
  /**
   * Makes the medium unreachable, as a disk that is unmounted or a server that is down. Promises that "does not
   * exist" and "cannot tell" are different answers.
   *
   * Absent: not tested. A store in memory has nothing to unplug.
   */
  readonly unplug?: (subject: S) => unknown
  /**
   * Changes what is stored as the record of an upload so that it cannot be read any more, as a failing disk or a wrong hand
   * does. Promises that such a record is never taken for a missing one, and is in nobody else's way.
   *
   * Absent: not tested. A store in memory has nothing to damage.
   */
  readonly damage?: (id: string, subject: S) => unknown
  /**
   * Promises that what a holder still writes after another one took over is shut out (see `Fence`). Default
   * `false`: the store relies on the lease alone, and its documentation says so.
   */
  readonly fenced?: boolean
  /**
   * Bytes of memory that one upload may take, those handed over by the handler included: a body of four times as
   * much is sent and read. `Infinity` for stores that keep what they store in memory. Default: 16 MiB.
   */
  readonly memory?: number
  /** Milliseconds that a case waits for what has to happen at once, such as a lock that was released. Default: 5,000. */
  readonly patience?: number
}
