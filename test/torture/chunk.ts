import type { Account } from './account.js'
import type { Content } from './content.js'
import type { AttemptPlan } from './plan.js'
import type { Sending } from './send.js'
import type { Speech } from './speech.js'

/** A chunk, as part of a request. */
export type Chunk = Required<Pick<Sending, 'headers' | 'body' | 'onPiece'>> &
  Pick<Sending, 'trailers' | 'cut'> & {
    /** The offset once all of it is stored. */
    readonly end: number
    /** Whether the server must refuse it. */
    readonly wrong: boolean
  }

/**
 * Returns the chunk of a file that a plan needs, from `offset`. While it is sent, the account
 * learns which bytes may count.
 */
export function chunkOf(
  content: Content,
  account: Account,
  speech: Speech,
  offset: number,
  { size, framing, checksum, corrupt, cut }: AttemptPlan,
): Chunk {
  const end = Math.min(offset + size, content.size)
  const wrong = corrupt && end > offset
  const claim = (algorithm: string) => {
    const digest = content.digest(algorithm, offset, end)
    return { [speech.digestField]: speech.digest(algorithm, digest) }
  }
  const inTrailer = checksum?.in === 'trailer'
  const pieces = content.pieces(offset, end)
  let sent = offset
  return {
    headers: {
      ...(framing === 'sized'
        ? { 'content-length': String(end - offset) }
        : { 'transfer-encoding': 'chunked' }),
      ...(checksum?.in === 'header' && claim(checksum.algorithm)),
      ...(inTrailer && { trailer: speech.digestField }),
    },
    body: wrong ? spoiled(pieces) : pieces,
    ...(inTrailer && { trailers: () => claim(checksum.algorithm) }),
    ...(cut && { cut: { after: Math.floor(cut.share * (end - offset)), kind: cut.kind } }),
    end,
    wrong,
    onPiece(bytes) {
      sent += bytes
      // No byte of a chunk with a checksum may count before all of them are there.
      if (!wrong && (checksum === undefined || sent === end)) account.mayHold(sent)
    },
  }
}

/** Returns the same pieces with every byte changed. */
function* spoiled(pieces: Iterable<Buffer>): Generator<Buffer, void> {
  for (const piece of pieces) yield Buffer.from(piece.map((byte) => byte ^ 0xff))
}
