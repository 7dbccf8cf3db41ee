import type { TusClient } from '../tus-client.js'

/** Lets connections take turns at many requests. Resolves with the milliseconds that each took. */
export async function many(
  clients: readonly TusClient[],
  count: number,
  request: (client: TusClient, index: number) => Promise<unknown>,
): Promise<number[]> {
  const took: number[] = []
  let next = 0
  async function work(client: TusClient): Promise<void> {
    while (next < count) {
      const index = next++
      const started = performance.now()
      await request(client, index)
      took.push(performance.now() - started)
    }
  }
  await Promise.all(clients.map(work))
  return took
}
