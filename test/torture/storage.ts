import type { StorageFaultPlan } from './plan.js'
import type { Referee } from './referee.js'

/** Where the servers of a run keep uploads, and how that fails. */
export interface Storage {
  /** Additional environment of the servers. */
  readonly environment: NodeJS.ProcessEnv
  /** Returns what the program of a server needs to know, as JSON. */
  describe(server: number): object
  planFault(seed: number, number: number): StorageFaultPlan
  /** Begins a fault. Returns the function that ends it. */
  harm(fault: StorageFaultPlan): Promise<() => Promise<void>>
  /**
   * Returns the ids of all finished files, and blames everything else that is left.
   *
   * @param records - The ids of all records, if they are elsewhere.
   */
  judge(referee: Referee, records?: ReadonlySet<string>): Promise<readonly string[]>
  /** Returns the SHA-256 of a finished file, read without a server. */
  digest(id: string): Promise<string>
  /** Removes everything. */
  close(): Promise<void>
}

/** Where the servers of a run keep records and locks, if not with the data. */
export interface Records extends Pick<Storage, 'describe' | 'planFault' | 'harm' | 'close'> {
  /** Returns the ids of all records. */
  ids(): Promise<ReadonlySet<string>>
}
