import type { StorageFaultPlan } from './plan.js'
import type { Referee } from './referee.js'
import type { Records, Storage } from './storage.js'

/** A fault of one of the two. */
type DividedFaultPlan = StorageFaultPlan & { readonly of: 'data' | 'records' }

/** A storage that has the data, and another one that has records and locks. */
export class DividedStorage implements Storage {
  readonly environment: NodeJS.ProcessEnv
  readonly #data: Storage
  readonly #records: Records

  constructor(data: Storage, records: Records) {
    this.environment = data.environment
    this.#data = data
    this.#records = records
  }

  describe(server: number): object {
    return { ...this.#data.describe(server), ...this.#records.describe(server) }
  }

  /** Both fail in turn. */
  planFault(seed: number, number: number): DividedFaultPlan {
    const half = Math.floor(number / 2)
    return number % 2 === 0
      ? { ...this.#records.planFault(seed, half), of: 'records' }
      : { ...this.#data.planFault(seed, half), of: 'data' }
  }

  harm(fault: DividedFaultPlan): Promise<() => Promise<void>> {
    return (fault.of === 'data' ? this.#data : this.#records).harm(fault)
  }

  async judge(referee: Referee): Promise<readonly string[]> {
    const records = await this.#records.ids()
    const files = await this.#data.judge(referee, records)
    for (const id of records) {
      if (!files.includes(id)) referee.blame(`the record of ${id} is left without a file`)
    }
    return files
  }

  digest(id: string): Promise<string> {
    return this.#data.digest(id)
  }

  async close(): Promise<void> {
    await Promise.all([this.#data.close(), this.#records.close()])
  }
}
