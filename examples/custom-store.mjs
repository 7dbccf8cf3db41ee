// A server with a custom store: custom-store/map-store.mjs, with its tests next to it.
import { createHandler, createUploadServer, StoreComposer } from 'tuskit'
import { MemoryInfoStore } from 'tuskit/memory-store'
import { MapStore } from './custom-store/map-store.mjs'

const composer = new StoreComposer().use(new MapStore(), new MemoryInfoStore())

const server = createUploadServer(createHandler({ basePath: '/files', composer }))

server.listen(process.env.PORT ?? 1080, () => {
  console.log(`Uploads to http://localhost:${server.address().port}/files/`)
})
