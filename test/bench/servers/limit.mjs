// The minimum that a Node server can do to move bytes between a socket and a file with streams: no
// validation, no locks, no records. The others are compared with it. Argument, as JSON:
// `directory`, `port`.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { basename, join } from 'node:path'

const { directory, port = 0 } = JSON.parse(process.argv[2])
const block = Buffer.allocUnsafeSlow(1024 * 1024)

/** By id: `length`, `offset` and, during a PATCH, the `stream` into the file. */
const uploads = new Map()

const server = http.createServer((req, res) => {
  const id = basename(req.url)
  const path = join(directory, id)
  const upload = uploads.get(id)
  if (req.method === 'POST') return create(req, res)
  if (req.method === 'OPTIONS') return res.writeHead(204, extensions).end()
  if (upload === undefined) return res.writeHead(404).end()
  if (req.method === 'PATCH') {
    const start = Number(req.headers['upload-offset'])
    upload.stream = fs.createWriteStream(path, { flags: 'r+', start })
    upload.start = start
    return store(req, upload, () => res.writeHead(204, { 'Upload-Offset': upload.offset }).end())
  }
  if (req.method === 'HEAD') {
    const offset = upload.stream ? upload.start + upload.stream.bytesWritten : upload.offset
    return res.writeHead(200, { 'Upload-Offset': offset, 'Upload-Length': upload.length }).end()
  }
  res.writeHead(200, { 'Content-Length': upload.length })
  fs.createReadStream(path).pipe(res)
})

const extensions = {
  'Tus-Extension': 'creation,creation-with-upload,checksum,concatenation',
  'Tus-Checksum-Algorithm': 'md5,sha1,sha256,sha512,crc32',
}

function create(req, res) {
  const id = randomBytes(16).toString('hex')
  const path = join(directory, id)
  const created = () => res.writeHead(201, { Location: `/files/${id}` }).end()
  const parts = req.headers['upload-concat']
  if (parts?.startsWith('final;')) {
    const ids = parts
      .slice('final;'.length)
      .split(' ')
      .map((url) => basename(url))
    return concatenate(ids, path).then((length) => {
      uploads.set(id, { length, offset: length })
      created()
    })
  }
  const upload = { length: Number(req.headers['upload-length']), offset: 0, start: 0 }
  uploads.set(id, upload)
  if (Number(req.headers['content-length'] ?? 0) > 0) {
    upload.stream = fs.createWriteStream(path)
    return store(req, upload, created)
  }
  fs.open(path, 'w', (error, file) => {
    if (error) throw error
    fs.close(file, created)
  })
}

function store(req, upload, done) {
  const { stream } = upload
  req.pipe(stream).on('finish', () => {
    upload.offset = upload.start + stream.bytesWritten
    if (upload.stream === stream) upload.stream = undefined
    done()
  })
}

async function concatenate(ids, path) {
  const target = await fs.promises.open(path, 'w')
  let length = 0
  for (const id of ids) {
    const part = await fs.promises.open(join(directory, id))
    for (;;) {
      const { bytesRead } = await part.read(block, 0, block.length, null)
      if (bytesRead === 0) break
      await target.write(block, 0, bytesRead)
      length += bytesRead
    }
    await part.close()
  }
  await target.close()
  return length
}

server.listen(port, '127.0.0.1', () => console.log(server.address().port))
