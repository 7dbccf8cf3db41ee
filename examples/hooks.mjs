// Hooks: who may upload, what, and what happens then. Try it with the header `Authorization: Bearer secret`.
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'

const users = new Map([['Bearer secret', 'ada']])
const userOf = (request) => users.get(request.headers.authorization)

const composer = new StoreComposer().use(
  new FileStore({ directory: './uploads' }),
  new FileInfoStore({ directory: './uploads' }),
)

const hooks = {
  // Asked for every request but OPTIONS.
  access({ request, upload }) {
    const user = userOf(request)
    if (user === undefined) {
      return { reject: { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } } }
    }
    // To others, the uploads of a user do not exist.
    const owner = upload?.storage.at.path.split('/')[0]
    if (owner !== undefined && owner !== user) return { reject: { status: 404 } }
  },

  // May refuse, and decide on limits and places.
  preCreate({ request, upload }) {
    const { filename } = upload.metadata.values
    if (!filename) return { reject: { status: 422, body: 'An upload needs a filename' } }
    return { maxSize: 100_000_000, place: { path: `${userOf(request)}/${upload.id}` } }
  },

  // Once in a while, while bytes come in.
  postReceive({ upload, offset }) {
    console.log(`${upload.id} has ${offset} of ${upload.length} bytes`)
  },

  // All bytes are there: the last word on them, and the answer to the client.
  preFinish({ upload }) {
    if (upload.length === 0) return { reject: { status: 422, body: 'An empty file' } }
    return { response: { headers: { 'X-Kept-As': upload.storage.at.path } } }
  },

  // The client has its answer. What is thrown here is logged.
  postFinish({ event, upload }) {
    console.log(`${event.id}: ${upload.metadata.values.filename} is in ${upload.storage.at.path}`)
  },
}

const server = createUploadServer(createHandler({ basePath: '/files', composer, hooks }))

server.listen(process.env.PORT ?? 1080, () => {
  console.log(`Uploads to http://localhost:${server.address().port}/files/`)
})
process.once('SIGTERM', () => server.stop())
