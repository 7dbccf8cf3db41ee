// Starts requests over HTTP/2 and cancels each one after a part of its body.
import { once } from 'node:events'
import http2 from 'node:http2'

const [origin, count, size, length] = process.argv.slice(2)
const session = http2.connect(origin)
for (let i = 0; i < Number(count); i++) {
  const head = { ':method': 'PATCH', ':path': '/', ...(length && { 'content-length': length }) }
  const stream = session.request(head)
  const response = once(stream, 'response')
  stream.write(Buffer.alloc(Number(size)))
  await response
  // In the middle of reading, Node would send the reset at once.
  await new Promise(setImmediate)
  stream.close(http2.constants.NGHTTP2_CANCEL)
  await once(stream, 'close')
}
session.close()
