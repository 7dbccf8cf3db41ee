/** The polynomial of Castagnoli, its bits reversed (RFC 9260, appendix A). */
const polynomial = 0x82f63b78

/** At `256 * n + byte`: the share of `byte` in the checksum when `n` bytes follow it. */
const tables = makeTables()

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ polynomial : sum >>> 1
    made[byte] = sum
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256]!
    made[at] = (before >>> 8) ^ made[before & 0xff]!
  }
  return made
}

/**
 * Returns the CRC-32C of `data`, or of the bytes with the checksum `sum` followed by `data`.
 * `zlib.crc32` has another polynomial. Takes eight bytes at a time (slicing-by-8), which is several
 * times as fast as one by one.
 */
export function crc32c(data: Uint8Array, sum = 0): number {
  let crc = ~sum
  let i = 0
  for (const end = data.length - 7; i < end; i += 8) {
    crc ^= data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24)
    crc =
      tables[0x700 | (crc & 0xff)]! ^
      tables[0x600 | ((crc >>> 8) & 0xff)]! ^
      tables[0x500 | ((crc >>> 16) & 0xff)]! ^
      tables[0x400 | (crc >>> 24)]! ^
      tables[0x300 | data[i + 4]!]! ^
      tables[0x200 | data[i + 5]!]! ^
      tables[0x100 | data[i + 6]!]! ^
      tables[data[i + 7]!]!
  }
  for (; i < data.length; i++) crc = (crc >>> 8) ^ tables[(crc ^ data[i]!) & 0xff]!
  return ~crc >>> 0
}
