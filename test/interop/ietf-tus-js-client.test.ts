import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import * as tusJsClient from 'tus-js-client'
import type { UploadOptions } from 'tus-js-client'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Handler, Upload } from 'tuskit'
import { fileComposer, serve, temporaryDirectory, idOf } from '../support/serve.js'
import { cuttingProxy } from './cutting-proxy.js'

const data = randomBytes(5_000_001)

const modes = [
  { protocol: 'ietf-draft-03', version: '5' },
  { protocol: 'ietf-draft-05', version: '6' },
] as const

describe.each(modes)('$protocol', ({ protocol, version }) => {
  let directory: string
  let port: number
  let endpoint: string
  let handler: Handler
  /** The requests of the client, in order: method and Upload-Complete. */
  let requests: string[]

  beforeEach(async () => {
    directory = await temporaryDirectory()
    const site = await serve({ composer: fileComposer(directory), interimResponses: true })
    handler = site.handler
    port = site.port
    endpoint = `${site.origin}/files/`
    requests = []
  })

  describe('the client', () => {
    test('uploads a file', async () => {
      const url = await upload(data)
      expect(requests).toEqual(['POST ?0', 'PATCH ?1'])
      await expectFinished(url, data)
    })

    test('creates an upload with all of the data', async () => {
      const url = await upload(data, { uploadDataDuringCreation: true })
      expect(requests).toEqual(['POST ?1'])
      await expectFinished(url, data)
    })

    test('creates an upload with the first chunk', async () => {
      const url = await upload(data, { uploadDataDuringCreation: true, chunkSize: 2_000_000 })
      expect(requests).toEqual(['POST ?0', 'PATCH ?0', 'PATCH ?1'])
      await expectFinished(url, data)
    })

    test('uploads in small chunks', async () => {
      const bytes = data.subarray(0, 10_001)
      const url = await upload(bytes, { chunkSize: 100 })
      expect(requests).toEqual(['POST ?0', ...Array<string>(100).fill('PATCH ?0'), 'PATCH ?1'])
      await expectFinished(url, bytes)
    })

    test('uploads to a server without interim responses, the default', async () => {
      const site = await serve({ composer: fileComposer(directory) })
      const url = await upload(data, { endpoint: `${site.origin}/files/`, chunkSize: 3_000_000 })
      expect(requests).toEqual(['POST ?0', 'PATCH ?0', 'PATCH ?1'])
      await expectFinished(url, data)
    })

    test('uploads with POST instead of PATCH', async () => {
      const url = await upload(data, { overridePatchMethod: true, chunkSize: 3_000_000 })
      expect(requests).toEqual(['POST ?0', 'POST ?0', 'POST ?1'])
      await expectFinished(url, data)
    })

    test('uploads a stream whose length is known only at its end', async () => {
      const source = Readable.from(pieces(data, 70_000), { objectMode: false })
      const url = await upload(source, { uploadLengthDeferred: true, chunkSize: 1_000_000 })
      expect(requests.slice(0, 2)).toEqual(['POST ?0', 'PATCH ?0'])
      expect(requests.filter((each) => each.endsWith('?1'))).toEqual(['PATCH ?1'])
      expect(requests.at(-1)).toBe('PATCH ?1')
      await expectFinished(url, data)
    })

    test('uploads 0 bytes with uploadDataDuringCreation', async () => {
      const url = await upload(Buffer.alloc(0), { uploadDataDuringCreation: true })
      expect(requests).toEqual(['POST ?1'])
      await expectFinished(url, Buffer.alloc(0))
    })

    test('uploads a file in one request', async () => {
      const url = await upload(createReadStream(await sourceFile()))
      expect(requests).toEqual(['POST ?0', 'PATCH ?1'])
      await expectFinished(url, data)
    })

    test('keeps metadata beyond ASCII', async () => {
      const metadata = { filename: 'Grüße ☕ 文件.txt', filetype: 'text/plain', empty: '' }
      const url = await upload(Buffer.from('ten bytes!'), { metadata })
      const { metadata: stored } = await record(url)
      expect({ ...stored.values }).toEqual(metadata)
      const download = await fetch(url)
      expect(await download.text()).toHaveLength(10)
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
      expect(requests).toEqual(['POST ?0', 'PATCH ?1', 'HEAD', 'PATCH ?1'])
      await expectFinished(url, data)
    })

    test('continues from what arrived before the connection broke', async () => {
      const through = await cuttingProxy(port, [2_000_000, 1_000_000])
      const sent: number[] = []
      const url = await upload(data, {
        endpoint: `http://127.0.0.1:${through}/files/`,
        retryDelays: [0, 0, 0],
        onBeforeRequest(request) {
          requests.push(request.getMethod())
          const offset = request.getHeader('Upload-Offset')
          if (offset !== undefined) sent.push(Number(offset))
        },
      })
      expect(requests).toEqual(['POST', 'PATCH', 'HEAD', 'PATCH', 'HEAD', 'PATCH'])
      // Everything that arrived, except for the heads of the requests.
      expect(sent[0]).toBe(0)
      expect(sent[1]! > 1_990_000 && sent[1]! < 2_000_000).toBe(true)
      expect(sent[2]! > 2_980_000 && sent[2]! < 3_000_000).toBe(true)
      await expectFinished(url, data)
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
      expect(requests).toEqual(['HEAD', 'PATCH ?0', 'PATCH ?0', 'PATCH ?0', 'PATCH ?1'])
      await expectFinished(url, data)
    })

    test('finds a finished upload finished', async () => {
      const url = await upload(data)
      requests = []
      expect(await upload(data, { uploadUrl: url })).toBe(url)
      expect(requests).toEqual(['HEAD'])
    })

    test('gets a response to HEAD from a handler that shuts down, so that it does not start over', async () => {
      const url = await upload(data)
      await handler.shutdown()
      requests = []
      expect(await upload(data, { uploadUrl: url })).toBe(url)
      expect(requests).toEqual(['HEAD'])
    })

    test.each([
      ['in the same mode', { protocol }],
      ['in tus 1.0.0 mode, which is the default of terminate()', {}],
    ])('removes an upload %s', async (_, options) => {
      const url = await upload(data)
      await tusJsClient.Upload.terminate(url, options as UploadOptions)
      expect(await statusOf(url)).toBeOneOf([404, 410])
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
      expect(await statusOf(url)).toBeOneOf([404, 410])
    })

    test('starts over when its upload was removed', async () => {
      const removed = await upload(data)
      await handler.uploads.terminate(idOf(removed))
      requests = []
      const url = await upload(data, { uploadUrl: removed })
      expect(requests).toEqual(['HEAD', 'POST ?0', 'PATCH ?1'])
      expect(url).not.toBe(removed)
      await expectFinished(url, data)
    })

    test.each([
      ['tus 1.0.0 by a draft client', 'tus-v1', protocol],
      ['the draft by a tus 1.0.0 client', protocol, 'tus-v1'],
    ] as const)(
      'does not resume an upload that began in %s, but starts over',
      async (_, before, after) => {
        const begun = await new Promise<string>((resolve, reject) => {
          const client = clientOf(data, {
            protocol: before,
            chunkSize: 1_000_000,
            onChunkComplete: () => void client.abort().then(() => resolve(client.url!)),
            onError: reject,
          } as UploadOptions)
          client.start()
        })
        const url = await upload(data, { uploadUrl: begun, protocol: after } as UploadOptions)
        expect(url).not.toBe(begun)
        await expectFinished(url, data)
      },
    )
  })

  /**
   * Faults of this release of the client, not of the server. docs/getting-started.md informs users.
   */
  describe('the client takes its last bytes for the end but does not say so, therefore', () => {
    test('an upload of 0 bytes has no Upload-Complete: ?1 and stays open', async () => {
      const url = await upload(Buffer.alloc(0))
      expect(requests).toEqual(['POST ?0'])
      expect((await record(url)).state.kind).toBe('open')
    })

    test('a file in chunks has no Upload-Complete: ?1 and stays open', async () => {
      const url = await upload(createReadStream(await sourceFile()), { chunkSize: 3_000_000 })
      expect(requests).toEqual(['POST ?0', 'PATCH ?0', 'PATCH ?0'])
      await expectFullButOpen(url)
    })

    test('a resumed file has no Upload-Complete: ?1 and stays open', async () => {
      const through = await cuttingProxy(port, [2_000_000])
      const url = await upload(createReadStream(await sourceFile()), {
        endpoint: `http://127.0.0.1:${through}/files/`,
        retryDelays: [0, 0],
      })
      expect(requests).toEqual(['POST ?0', 'PATCH ?1', 'HEAD', 'PATCH ?0'])
      await expectFullButOpen(url)
    })

    test('a stream of known size has no Upload-Complete: ?1 and stays open', async () => {
      const source = Readable.from(pieces(data, 70_000), { objectMode: false })
      const url = await upload(source, { uploadSize: data.length, chunkSize: 3_000_000 })
      expect(requests).toEqual(['POST ?0', 'PATCH ?0', 'PATCH ?0'])
      await expectFullButOpen(url)
    })

    test('resuming such an upload does not help, since the client takes the offset for the end', async () => {
      const url = await upload(createReadStream(await sourceFile()), { chunkSize: 3_000_000 })
      requests = []
      await upload(data, { uploadUrl: url })
      expect(requests).toEqual(['HEAD'])
      await expectFullButOpen(url)
    })

    test('an empty PATCH with Upload-Complete: ?1 completes such an upload', async () => {
      const url = await upload(createReadStream(await sourceFile()), { chunkSize: 3_000_000 })
      const reply = await fetch(url, {
        method: 'PATCH',
        headers: {
          'content-type': 'application/partial-upload',
          'upload-draft-interop-version': version,
          'upload-offset': String(data.length),
          'upload-complete': '?1',
        },
      })
      expect(reply.status).toBe(201)
      await expectFinished(url, data)
    })
  })

  test('gets 412 for parallelUploads, since the draft has no concatenation, and the parts remain', async () => {
    const failure = upload(data, { parallelUploads: 2 })
    await expect(failure).rejects.toThrow(/response code: 412/)
    const parts = ['POST ?0', 'POST ?0', 'PATCH ?1', 'PATCH ?1']
    expect(requests.slice(0, -1).sort()).toEqual([...parts].sort())
    expect(requests.at(-1)).toBe('POST')
  })

  /** Resolves with the URL when the upload has succeeded. */
  function upload(source: Buffer | Readable, options: UploadOptions = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const onSuccess = () => resolve(client.url!)
      const client = clientOf(source, { ...options, onSuccess, onError: reject })
      client.start()
    })
  }

  /** Never retries by default, so the first response of the server must be right. */
  function clientOf(source: Buffer | Readable, options: UploadOptions): tusJsClient.Upload {
    const all = {
      endpoint,
      retryDelays: null,
      protocol,
      onBeforeRequest(request: tusJsClient.HttpRequest) {
        const complete = request.getHeader('Upload-Complete') as string | undefined
        requests.push([request.getMethod(), complete].filter(Boolean).join(' '))
      },
      ...options,
    }
    // The types know only the browser; in Node the client accepts streams.
    return new tusJsClient.Upload(source as Buffer, all as UploadOptions)
  }

  async function expectFinished(url: string, bytes: Buffer): Promise<void> {
    const { upload: stored, finished } = await handler.uploads.inspect(idOf(url))
    expect({ length: stored.length, finished }).toEqual({ length: bytes.length, finished: true })
    expect(stored.state.kind).toBe(stored.protocol === 'ietf' ? 'finished' : 'open')
    expect(await storedDigest(url)).toBe(digest(bytes))
  }

  /**
   * The client reports success and all bytes are stored, but the server still waits for the end.
   */
  async function expectFullButOpen(url: string): Promise<void> {
    const { upload: stored, offset, finished } = await handler.uploads.inspect(idOf(url))
    expect({ state: stored.state.kind, offset, finished }).toEqual({
      state: 'open',
      offset: data.length,
      finished: false,
    })
    expect(await storedDigest(url)).toBe(digest(data))
  }

  async function record(url: string): Promise<Upload> {
    return (await handler.uploads.inspect(idOf(url))).upload
  }

  async function storedDigest(url: string): Promise<string> {
    return digest(await readFile(join(directory, idOf(url))))
  }
})

async function sourceFile(): Promise<string> {
  const path = join(await temporaryDirectory(), 'source')
  await writeFile(path, data)
  return path
}

async function statusOf(url: string): Promise<number> {
  return (await fetch(url, { method: 'HEAD' })).status
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

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
