// Hooks decide who may upload, what they may upload, and what happens then. Try them with the
// header `Authorization: Bearer secret`.
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'

const users = new Map([['Bearer secret', 'ada']])
const userOf = (request) => users.get(request.headers.authorization)

const composer = new StoreComposer().use(
  new FileStore({ directory: './uploads' }),
  new FileInfoStore({ directory: './uploads' }),
)

const hooks = {
  // Runs for every request except OPTIONS.
  access({ request, upload }) {
    const user = userOf(request)
    if (user === undefined) {
      return { reject: { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } } }
    }
    // Users see only their own uploads.
    const owner = upload?.storage.at.path.split('/')[0]
    if (owner !== undefined && owner !== user) return { reject: { status: 404 } }
  },

  // May reject the upload, and decides its limit and its place.
  preCreate({ request, upload }) {
    const { filename } = upload.metadata.values
    if (!filename) return { reject: { status: 422, body: 'An upload needs a filename' } }
    return { maxSize: 100_000_000, place: { path: `${userOf(request)}/${upload.id}` } }
  },

  // Runs now and then while bytes arrive.
  postReceive({ upload, offset }) {
    console.log(`${upload.id} has ${offset} of ${upload.length} bytes`)
  },

  // Runs when all bytes are stored. May reject them, and adds to the response.
  preFinish({ upload }) {
    if (upload.length === 0) return { reject: { status: 422, body: 'An empty file' } }
    return { response: { headers: { 'X-Kept-As': upload.storage.at.path } } }
  },

  // Runs after the response. An exception here is only logged.
  postFinish({ event, upload }) {
    console.log(`${event.id}: ${upload.metadata.values.filename} is in ${upload.storage.at.path}`)
  },
}

const server = createUploadServer(createHandler({ basePath: '/files', composer, hooks }))

server.listen(process.env.PORT ?? 1080, () => {
  console.log(`Uploads to http://localhost:${server.address().port}/files/`)
})
process.once('SIGTERM', () => server.stop())
