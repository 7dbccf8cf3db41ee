import { Readable } from 'node:stream'

/** Returns the batches of a body as a stream of bytes. */
export function readableOf(batches: AsyncIterable<readonly Buffer[]>): Readable {
  return Readable.from(piecesOf(batches), { objectMode: false })
}

async function* piecesOf(batches: AsyncIterable<readonly Buffer[]>): AsyncGenerator<Buffer> {
  for await (const batch of batches) yield* batch
}
