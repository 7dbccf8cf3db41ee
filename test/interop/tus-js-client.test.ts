import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import * as tusJsClient from 'tus-js-client'
import type { UploadOptions } from 'tus-js-client'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { createHandler, type Handler } from 'tuskit'
import { fileComposer, listen, serve, temporaryDirectory, idOf } from '../support/serve.js'

const data = randomBytes(5_000_001)

let directory: string
let endpoint: string
let handler: Handler
/** The requests of the client, in order. */
let requests: string[]

beforeEach(async () => {
  directory = await temporaryDirectory()
  const site = await serve({ composer: fileComposer(directory) })
  handler = site.handler
  endpoint = `${site.origin}/files/`
  requests = []
})

test('uploads a file', async () => {
  const url = await upload(data)
  expect(requests).toEqual(['POST', 'PATCH'])
  expect(await stored(url)).toBe(digest(data))
})

test('creates an upload with all of the data', async () => {
  const url = await upload(data, { uploadDataDuringCreation: true })
  expect(requests).toEqual(['POST'])
  expect(await stored(url)).toBe(digest(data))
})

test('creates an upload with the first chunk', async () => {
  const url = await upload(data, { uploadDataDuringCreation: true, chunkSize: 2_000_000 })
  expect(requests).toEqual(['POST', 'PATCH', 'PATCH'])
  expect(await stored(url)).toBe(digest(data))
})

test('uploads a stream whose length is known only at its end', async () => {
  const source = Readable.from(pieces(data, 70_000), { objectMode: false })
  const url = await upload(source, { uploadLengthDeferred: true, chunkSize: 1_000_000 })
  expect(requests.slice(0, 2)).toEqual(['POST', 'PATCH'])
  expect(await stored(url)).toBe(digest(data))
  expect((await handler.uploads.inspect(idOf(url))).upload.length).toBe(data.length)
})

test('concatenates four parallel uploads', async () => {
  const url = await upload(data, { parallelUploads: 4, metadata: { filename: 'four.bin' } })
  expect(requests.filter((method) => method === 'POST')).toHaveLength(5)
  expect(await stored(url)).toBe(digest(data))
  const { upload: record } = await handler.uploads.inspect(idOf(url))
  expect({ ...record.metadata.values }).toEqual({ filename: 'four.bin' })
})

test('uploads with POST instead of PATCH', async () => {
  const url = await upload(data, { overridePatchMethod: true, chunkSize: 3_000_000 })
  expect(requests).toEqual(['POST', 'POST', 'POST'])
  expect(await stored(url)).toBe(digest(data))
})

test('uploads in small chunks', async () => {
  const bytes = data.subarray(0, 10_001)
  const url = await upload(bytes, { chunkSize: 100 })
  expect(requests).toEqual(['POST', ...Array<string>(101).fill('PATCH')])
  expect(await stored(url)).toBe(digest(bytes))
})

test('0 bytes', async () => {
  const url = await upload(Buffer.alloc(0))
  expect(requests).toEqual(['POST'])
  expect(await stored(url)).toBe(digest(Buffer.alloc(0)))
})

test('a file', async () => {
  const path = join(await temporaryDirectory(), 'source')
  await writeFile(path, data)
  const url = await upload(createReadStream(path))
  expect(await stored(url)).toBe(digest(data))
})

test('keeps metadata beyond ASCII', async () => {
  const metadata = { filename: 'Grüße ☕ 文件.txt', filetype: 'text/plain', empty: '' }
  const url = await upload(data.subarray(0, 10), { metadata })
  const { upload: record } = await handler.uploads.inspect(idOf(url))
  expect({ ...record.metadata.values }).toEqual(metadata)
  const download = await fetch(url)
  expect(download.headers.get('content-disposition')).toContain(
    `filename*=UTF-8''${encodeURIComponent(metadata.filename)}`,
  )
})

test('resumes with the same object after a pause in the middle of a request', async () => {
  const url = await new Promise<string>((resolve, reject) => {
    let paused = false
    const client = clientOf(data, {
      onProgress(sent) {
        if (paused || sent === 0) return
        paused = true
        void client.abort().then(() => client.start())
      },
      onSuccess: () => resolve(client.url!),
      onError: reject,
    })
    client.start()
  })
  expect(requests).toEqual(['POST', 'PATCH', 'HEAD', 'PATCH'])
  expect(await stored(url)).toBe(digest(data))
})

test('resumes in another run of the client, from the stored URL', async () => {
  const urlStorage = urlStorageAt(join(await temporaryDirectory(), 'urls.json'))
  const options = { urlStorage, chunkSize: 1_000_000 }
  const before = await new Promise<string>((resolve, reject) => {
    const client = clientOf(data, {
      ...options,
      onChunkComplete(_size, accepted) {
        if (accepted === 2_000_000) void client.abort().then(() => resolve(client.url!))
      },
      onError: reject,
    })
    client.start()
  })

  requests = []
  const url = await new Promise<string>((resolve, reject) => {
    const client = clientOf(data, {
      ...options,
      onSuccess: () => resolve(client.url!),
      onError: reject,
    })
    void client.findPreviousUploads().then(([previous]) => {
      client.resumeFromPreviousUpload(previous!)
      client.start()
    }, reject)
  })
  expect(url).toBe(before)
  expect(requests).toEqual(['HEAD', 'PATCH', 'PATCH', 'PATCH', 'PATCH'])
  expect(await stored(url)).toBe(digest(data))
})

test('removes an upload', async () => {
  const url = await upload(data)
  await tusJsClient.Upload.terminate(url)
  expect((await fetch(url, { method: 'HEAD' })).status).toBeOneOf([404, 410])
  expect((await readdir(directory)).filter((name) => name === idOf(url))).toEqual([])
})

test('aborts and removes an upload in the middle of a request', async () => {
  const url = await new Promise<string>((resolve, reject) => {
    let aborted = false
    const client = clientOf(data, {
      onProgress(sent) {
        if (aborted || sent === 0) return
        aborted = true
        client.abort(true).then(() => resolve(client.url!), reject)
      },
      onError: reject,
    })
    client.start()
  })
  expect((await fetch(url, { method: 'HEAD' })).status).toBeOneOf([404, 410])
})

test('starts over when its upload was removed', async () => {
  const removed = await upload(data)
  await tusJsClient.Upload.terminate(removed)
  const url = await upload(data, { uploadUrl: removed })
  expect(url).not.toBe(removed)
  expect(await stored(url)).toBe(digest(data))
})

test('continues an upload after its handler is replaced', async () => {
  const newHandler = () => createHandler({ basePath: '/files', composer: fileComposer(directory) })
  let current = newHandler()
  const statuses: string[] = []
  const server = http.createServer({ requestTimeout: 0 }, (request, response) => {
    const handled = current
    void handled(request, response).then(() => {
      statuses.push(`${request.method} ${response.statusCode}`)
      // The old handler has refused data; now the new one takes over.
      if (response.statusCode === 503) current = newHandler()
    })
  })
  endpoint = `http://127.0.0.1:${await listen(server)}/files/`
  onTestFinished(() => void server.close().closeAllConnections())

  let stopped: Promise<void> | undefined
  const url = await upload(data, {
    chunkSize: 1_000_000,
    retryDelays: [0, 0, 0],
    onChunkComplete(_size, accepted) {
      if (accepted === 2_000_000) stopped = current.shutdown()
    },
  })
  await stopped
  expect(statuses.filter((each) => each.startsWith('POST'))).toEqual(['POST 201'])
  expect(statuses).toContain('PATCH 503')
  expect(await stored(url)).toBe(digest(data))
})

test('gets a response to HEAD from a handler that shuts down, so that it does not start over', async () => {
  const url = await upload(data)
  await handler.shutdown()
  requests = []
  expect(await upload(data, { uploadUrl: url })).toBe(url)
  expect(requests).toEqual(['HEAD'])
})

/** Resolves with the URL when the upload has succeeded. */
function upload(source: Buffer | Readable, options: UploadOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const onSuccess = () => resolve(client.url!)
    const client = clientOf(source, { ...options, onSuccess, onError: reject })
    client.start()
  })
}

/** Never retries, so the first response of the server must be right. */
function clientOf(source: Buffer | Readable, options: UploadOptions): tusJsClient.Upload {
  // The types know only the browser; in Node the client accepts streams.
  return new tusJsClient.Upload(source as Buffer, {
    endpoint,
    retryDelays: null,
    ...options,
    onBeforeRequest: (request) => void requests.push(request.getMethod()),
  })
}

function urlStorageAt(path: string): tusJsClient.UrlStorage {
  const { FileUrlStorage } = tusJsClient as unknown as {
    FileUrlStorage: new (path: string) => tusJsClient.UrlStorage
  }
  return new FileUrlStorage(path)
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

async function stored(url: string): Promise<string> {
  return digest(await readFile(join(directory, idOf(url))))
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
