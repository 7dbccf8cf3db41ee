/**
 * Knows how many bytes each upload takes, and their sum. Several processes that share a storage share one, with both
 * functions atomic; it may forget everything whenever none of them runs.
 *
 * A function that cannot tell rejects, and the request that needed it fails: it must not hang.
 */
export interface SpaceCounter {
  /**
   * Makes `bytes` what the upload takes from now on, and resolves to 0. When it would take more than before and the sum
   * of all be above `limit`, changes nothing and resolves to the number of bytes that are missing. An upload that is
   * not known takes 0; one that takes 0 need not be remembered.
   */
  reserve(id: string, bytes: number, limit: number): Promise<number>

  /**
   * Notes what an upload takes that was there before, whatever the sum, and resolves to true. When the upload is known
   * already, changes nothing and resolves to false.
   */
  note(id: string, bytes: number): Promise<boolean>
}
