// @ts-check
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { servePage } from './page/serve-page.mjs'

const directory = process.env.UPLOADS || './uploads'
const port = Number(process.env.PORT || 1080)
// URLSession resumes only with interim responses, but some proxies break on them. See
// docs/behind-proxies.md.
const interimResponses = process.env.INTERIM_RESPONSES === 'true'

const composer = new StoreComposer().use(
  new FileStore({ directory }),
  new FileInfoStore({ directory }),
)

const handler = createHandler({ basePath: '/files', composer, interimResponses })
/** @type {import('node:http').RequestListener} */
const listener = (request, response) => {
  void handler(request, response, () => servePage(request, response))
}
const server = createUploadServer(listener, { handler })

server.listen(port, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  console.log(`Uploads to http://127.0.0.1:${port}/files/ are kept in ${directory}`)
  console.log(`A page to upload from is at http://127.0.0.1:${port}/`)
})

// npm passes on a signal that the terminal has already sent, so each may arrive twice. The second
// one kills the process unless it exits explicitly.
/** @type {Promise<void> | undefined} */
let stopped
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stopped ??= server.stop().then(() => process.exit(0))
  })
}
