// The SDK's own multipart uploads of bytes in memory. It serves orders, not uploads: `file`, whose
// bytes to read into memory, or `uploads`, of slices of them. Arguments, as JSON: `bucket`;
// `config`, of the client.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import http from 'node:http'
import { json } from 'node:stream/consumers'
import { S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'

const { bucket, config } = JSON.parse(process.argv[2])
const client = new S3Client(config)
// The part size of both servers.
const partSize = 8 * 1024 * 1024
let content

const server = http.createServer(async (req, res) => {
  const { file, uploads = [] } = await json(req)
  if (file) content = read(file)
  try {
    await Promise.all(uploads.map(upload))
    res.writeHead(204).end()
  } catch (error) {
    res.writeHead(500).end(`${error}`)
  }
})

function read(path) {
  const file = openSync(path)
  const bytes = Buffer.allocUnsafeSlow(fstatSync(file).size)
  for (let at = 0; at < bytes.length;) at += readSync(file, bytes, at, bytes.length - at)
  closeSync(file)
  return bytes
}

function upload([Key, start, end]) {
  const params = { Bucket: bucket, Key, Body: content.subarray(start, end) }
  return new Upload({ client, params, partSize }).done()
}

// The order after a long pause must not meet a connection that is just being closed.
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
