// `limit`, but with wrong bits in what comes by PATCH. Argument as there.
import fs from 'node:fs'

const { createWriteStream } = fs
fs.createWriteStream = (path, options) => {
  const stream = createWriteStream(path, options)
  if (options === undefined) return stream
  const { write } = stream
  stream.write = (data, ...rest) => {
    data[0] ^= 1
    return write.call(stream, data, ...rest)
  }
  return stream
}

await import('./limit.mjs')
