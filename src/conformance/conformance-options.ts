import type { StoreComposer } from '../store-composer.js'
import type { UnplacedUpload, Upload } from '../upload.js'
import type { SlotName } from './slots.js'

/**
 * The subject of one case. The functions of the options get it back, with any members of your own.
 */
export interface Subject {
  /** The composer, filled as in an application: with `use`, or slot by slot. */
  readonly composer: Pick<StoreComposer, 'slots'>
  /** Cleans up after the case, whether it succeeded or not. If absent, nothing is cleaned up. */
  readonly dispose?: () => unknown
}

/**
 * A way in which storage becomes unavailable:
 *
 * - `down`: it cannot be reached, and connections to it are cut, as when a server crashes.
 * - `gone`: it can be reached, and the place of all data is missing, as when a disk is not mounted.
 * - `refused`: it refuses, as when permissions change or a disk becomes read-only.
 * - `paused`: connections stay open and nothing responds, as when a server is suspended.
 */
export type StorageFault = 'down' | 'gone' | 'refused' | 'paused'

/** Ends a fault: the storage is available again, with everything that it held before. */
export type EndFault = () => unknown

/** A place that a hook requests, in the terms of a store. */
export type Place = NonNullable<UnplacedUpload['place']>

/** Options of `conformanceSuite`. */
export interface ConformanceOptions<S extends Subject = Subject> {
  /**
   * Registers a test: `test` of vitest, node:test or Bun, `it` of mocha or jest, or your own
   * function. The cases are independent and can run in any order.
   *
   * `limit` is the time in milliseconds after which the case has certainly settled (see
   * `caseTimeout`). Runners that take such a limit as their third argument never end a case first.
   */
  readonly test: (name: string, run: () => Promise<void>, limit: number) => unknown
  /**
   * The slots that the factory fills. Each enables the cases of its capability, and cases cannot
   * be disabled in any other way. A case fails when the factory fills other slots. Capabilities of
   * data need `dataStore`, and those of records need `infoStore`.
   */
  readonly slots: readonly SlotName[]
  /**
   * Creates an empty subject. Called once for each case. The `maxSize` of its data store must be at
   * least 262,144 bytes, because cases store that many.
   */
  readonly factory: () => S | Promise<S>
  /**
   * Reads the stored bytes. Required when `dataStore` is among the slots and `contentReader` is
   * not, because a suite that never reads the bytes would prove little. With `contentReader`, both
   * must deliver the same bytes. If absent, only the `contentReader` reads.
   */
  readonly content?: (upload: Upload, subject: S) => Uint8Array | Promise<Uint8Array>
  /**
   * Creates a second instance over the storage of the subject, as another process would have it.
   * With this option you promise that several processes can share the storage: both instances read
   * it and make changes.
   *
   * If absent, one instance does everything.
   */
  readonly another?: (subject: S) => Subject['composer'] | Promise<Subject['composer']>
  /**
   * Makes the storage unavailable, in each way that it can be. Each function returns another one
   * that ends the fault, and may be called again after that. With this option you promise that
   * "does not exist" and "cannot say" are different results, and that nothing is lost or stored
   * twice.
   *
   * If absent, this is not tested. A store in memory has nothing to unplug.
   */
  readonly unplug?: {
    readonly [Fault in StorageFault]?: (subject: S) => EndFault | Promise<EndFault>
  }
  /**
   * Breaks all connections to the storage once, when so many more bytes have passed to it. New
   * connections work at once. Returns a function that ends the plan if the bytes have not come:
   * see `cutAfter` of `TcpProxy`. With this option you promise that bytes on their way are stored
   * once or not at all.
   *
   * If absent, this is not tested: with `unplug`, the storage remains unavailable for a while.
   */
  readonly cutAfter?: (bytes: number, subject: S) => EndFault | Promise<EndFault>
  /**
   * Damages the stored record of an upload so that it cannot be read, as a failing disk or a
   * mistaken edit does. With this option you promise that such a record never counts as missing,
   * and does not affect other uploads.
   *
   * If absent, this is not tested. A store in memory has nothing to damage.
   */
  readonly damage?: (id: string, subject: S) => unknown
  /**
   * Places that the store accepts and refuses, each as a `preCreate` hook would return it
   * (`UnplacedUpload.place`). `good` holds different places, and none if the store refuses all. The
   * suite tries places of its own, too, which it makes from the good ones.
   *
   * If absent, only a place with unknown terms is tested.
   */
  readonly places?: {
    readonly good: readonly Place[]
    readonly bad: readonly Place[]
  }
  /**
   * Makes the stored data of an upload `size` bytes long, as if zeros had arrived, without sending
   * them: such as with `truncate`, which makes a file with holes. Sizes go beyond 2^32 bytes.
   *
   * If absent, no data of such a size is tested, only declared lengths.
   */
  readonly grow?: (upload: Upload, size: number, subject: S) => unknown
  /**
   * Returns the number of connections and file descriptors that the storage of the subject keeps
   * open now, for all instances: such as the entries of `/proc/self/fd` below its folder, or the
   * `connections` of a `TcpProxy`. With this option you promise that it does not grow with the
   * number of calls, however they end, and that after `close` no more are open than before `open`.
   * A pool can keep connections if later calls use them again.
   *
   * If absent, this is not tested.
   */
  readonly openHandles?: (subject: S) => number | Promise<number>
  /**
   * Promises that writes of a previous holder are shut out after another one took over the lock
   * (see `Fence`). With `false`, the store relies on the lease alone, and its documentation says
   * so.
   *
   * @default false
   */
  readonly fenced?: boolean
  /**
   * The lease of the locker, in milliseconds: after that time at the latest, the lock of a holder
   * that cannot be reached is free. Cases wait for it, so use a locker with a short lease, but not
   * shorter than a busy machine stands still: about two seconds. They get 20 leases more than
   * `caseTimeout`.
   *
   * If absent, the cases in which a lock is renewed, lost or left behind are left out. All but the
   * first also need `unplug`, and most of them `another`.
   */
  readonly lease?: number
  /**
   * The memory in bytes that one upload can use, including the buffers from the handler. Cases
   * send and read a body of four times that size. Use `Infinity` for stores that keep their data
   * in memory.
   *
   * @default 16 MiB
   */
  readonly memory?: number
  /**
   * How long a case waits for something that must happen at once, such as the release of a lock,
   * in milliseconds.
   *
   * @default 5000
   */
  readonly patience?: number
  /**
   * How long a case can take, in milliseconds. A case that has not settled by then fails, and its
   * message names the calls that did not settle. Cases that store or read large bodies get one more
   * second for each MiB. Creating the subject counts, and cleaning up has a limit of its own, which
   * is as long.
   *
   * @default 60000
   */
  readonly caseTimeout?: number
}
