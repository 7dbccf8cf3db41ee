/**
 * Counts the bytes that each upload uses, and their sum. Processes that share a storage share one
 * counter, with both functions atomic. It can forget everything while none of them runs.
 *
 * A function that fails must reject and not hang. The request that needed it then fails.
 */
export interface SpaceCounter {
  /**
   * Sets the space of an upload to `bytes`, and resolves to 0. If that is more than before and the
   * sum would exceed `limit`, changes nothing and resolves to the number of missing bytes. An
   * unknown upload uses 0, so an upload with 0 need not be remembered.
   */
  reserve(id: string, bytes: number, limit: number): Promise<number>

  /**
   * Adds the space of an existing upload, regardless of the sum, and resolves to true. If the
   * upload is known already, changes nothing and resolves to false.
   */
  note(id: string, bytes: number): Promise<boolean>
}
