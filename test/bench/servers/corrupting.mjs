// `limit`, except that it corrupts the bodies of PATCH. Same argument.
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
