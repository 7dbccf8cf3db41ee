// @ts-check
const assert = require('node:assert/strict')
const { once } = require('node:events')
const { mkdtemp, rm } = require('node:fs/promises')
const { request } = require('node:http')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

/**
 * Uploads to a server from the packed package and reads the upload back, once with each of its
 * stores.
 *
 * @param {typeof import('tuskit')} tuskit
 * @param {typeof import('tuskit/file-store')} fileStore
 * @param {typeof import('tuskit/memory-store')} memoryStore
 */
async function roundTrip(tuskit, fileStore, memoryStore) {
  const directory = await mkdtemp(join(tmpdir(), 'tuskit-consumer-'))
  try {
    const inFiles = new tuskit.StoreComposer()
    inFiles.use(new fileStore.FileStore({ directory }), new fileStore.FileInfoStore({ directory }))
    await upload(tuskit, inFiles.useLocker(new fileStore.FileLocker({ directory })))

    const inMemory = new tuskit.StoreComposer()
    inMemory.use(new memoryStore.MemoryStore(), new memoryStore.MemoryInfoStore())
    await upload(tuskit, inMemory)
  } finally {
    await rm(directory, { recursive: true })
  }
  console.log(`${process.version} round trip`)
}

/**
 * @param {typeof import('tuskit')} tuskit
 * @param {import('tuskit').StoreComposer} composer
 */
async function upload(tuskit, composer) {
  const server = tuskit.createUploadServer(tuskit.createHandler({ basePath: '/files', composer }))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
    const files = new URL(`http://127.0.0.1:${port}/files/`)
    const tus = { 'Tus-Resumable': '1.0.0' }
    const patch = { ...tus, 'Content-Type': 'application/offset+octet-stream' }

    const created = await send('POST', files, { ...tus, 'Upload-Length': '11' })
    assert.equal(created.status, 201)
    const url = new URL(String(created.headers.location), files)

    const first = await send('PATCH', url, { ...patch, 'Upload-Offset': '0' }, 'hello ')
    assert.deepEqual([first.status, first.headers['upload-offset']], [204, '6'])
    const head = await send('HEAD', url, tus)
    assert.deepEqual([head.status, head.headers['upload-offset']], [200, '6'])
    const last = await send('PATCH', url, { ...patch, 'Upload-Offset': '6' }, 'world')
    assert.deepEqual([last.status, last.headers['upload-offset']], [204, '11'])

    const read = await send('GET', url, {})
    assert.deepEqual([read.status, read.body], [200, 'hello world'])
  } finally {
    await server.stop()
  }
}

/**
 * @param {string} method
 * @param {URL} url
 * @param {Record<string, string>} headers
 * @param {string} [body]
 */
async function send(method, url, headers, body) {
  const sent = request(url, { method, headers })
  sent.end(body)
  /** @type {[import('node:http').IncomingMessage]} */
  const [response] = /** @type {any} */ (await once(sent, 'response'))
  const chunks = []
  for await (const chunk of response) chunks.push(chunk)
  return {
    status: response.statusCode,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  }
}

module.exports = { roundTrip }
