import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Upload } from 'tuskit'
import type { MemoryInfoStore } from 'tuskit/memory-store'
import { altered, changed } from '../conformance-suite/broken.js'
import type { Bug } from './bug.js'
import { noAbort } from '../support/stages.js'

/** The protocol of the current request. */
const requestProtocol = new AsyncLocalStorage<Upload['protocol']>()

/** Makes an info store that misreads the records of draft uploads. */
function misreading(
  infoStore: MemoryInfoStore,
  read: (upload: Upload) => Upload | Promise<Upload>,
): MemoryInfoStore {
  return changed(infoStore, {
    async get(id) {
      const upload = await infoStore.get(id)
      return upload?.protocol === 'ietf' ? read(upload) : upload
    },
  })
}

/** Changes the headers of responses. */
function alterHeaders(
  alter: (request: IncomingMessage, status: number, headers: OutgoingHttpHeaders) => void,
) {
  return (request: IncomingMessage, response: ServerResponse) => {
    const writeHead = response.writeHead.bind(response) as (...values: unknown[]) => ServerResponse
    response.writeHead = (status: number, ...values: unknown[]) => {
      const headers = { ...(values.at(-1) as OutgoingHttpHeaders) }
      alter(request, status, headers)
      return writeHead(status, ...values.slice(0, -1), headers)
    }
  }
}

/** Bugs in promises that only the draft makes. */
export const draftBugs: readonly Bug[] = [
  {
    title: 'a server that takes full bytes for the end of the upload',
    plant: (composer, _, infoStore) =>
      composer.useInfoStore(misreading(infoStore, (upload) => ({ ...upload, completes: true }))),
    shownBy: /\(draft.*\?0/,
  },
  {
    title: 'a server that takes the end of a connection for the end of an upload',
    plant: (composer, store, infoStore) =>
      composer.useInfoStore(
        misreading(infoStore, async (upload) => {
          const { completes, state } = upload
          if (!completes || state.kind !== 'open') return upload
          const { signal } = new AbortController()
          const stat = await store.stat(upload, { signal }).catch(() => undefined)
          return stat === undefined ? upload : { ...upload, length: stat.offset }
        }),
      ),
    shownBy: /(end|reset|HEAD) after \d+ bytes|while another client|at once/,
  },
  {
    title: 'a record that forgets that an upload is complete',
    plant: (composer, _, infoStore) =>
      composer.useInfoStore(
        changed(infoStore, {
          update({ completes, ...upload }) {
            const { protocol, state } = upload
            const open = protocol === 'ietf' && state.kind === 'finished'
            return infoStore.update(
              open
                ? { ...upload, state: { kind: 'open' } }
                : { ...upload, ...(completes && { completes }) },
              noAbort,
            )
          },
        }),
      ),
    shownBy: /\(draft.*\?1/,
  },
  {
    title: 'a replay that does not say that the upload is complete',
    before: alterHeaders(({ headers: sent, method }, status, headers) => {
      const isReplay = method === 'PATCH' && status === 201 && sent['content-length'] === '0'
      if (isReplay) delete headers['upload-complete']
    }),
    shownBy: /PATCH \(draft.* with .*\?1/,
  },
  {
    title: 'a rejection that sounds as if the client could continue',
    before: alterHeaders((_, status, headers) => {
      if (status === 400 && 'upload-complete' in headers) headers['upload-complete'] = '?0'
    }),
    shownBy: /Repr-Digest/,
  },
  {
    title: 'an appender that keeps a body with a wrong Content-Digest',
    plant: (composer, store) =>
      composer.useVerifiedAppender(
        changed(store, {
          appendVerified: (upload, from, body, accept, options) => {
            const isSound = upload.protocol === 'tus'
            const lenient = async () => (await accept()) || !isSound
            return store.appendVerified(upload, from, body, lenient, options)
          },
        }),
      ),
    shownBy: /\(draft.*checksum (wrong|right.* (end|reset|HEAD) after)/,
  },
  {
    title: 'a record that forgets which protocol made the upload',
    before: ({ headers }) => requestProtocol.enterWith(headers['tus-resumable'] ? 'tus' : 'ietf'),
    plant: (composer, _, infoStore) =>
      composer.useInfoStore(
        changed(infoStore, {
          async get(id) {
            const upload = await infoStore.get(id)
            return upload && { ...upload, protocol: requestProtocol.getStore() ?? upload.protocol }
          },
        }),
      ),
    shownBy: /POST of|\(draft/,
  },
  {
    title: 'an upload that survives a body that is too long',
    plant: (composer, store, infoStore) => {
      const overrun = new Set<string>()
      composer.useInfoStore(
        changed(infoStore, {
          async update(upload) {
            const { id, state } = upload
            if (state.kind === 'gone' && state.cause === 'overrun') overrun.add(id)
            else await infoStore.update(upload, noAbort)
          },
        }),
      )
      composer.useTerminator(
        changed(store, {
          async terminate(upload, options) {
            if (!overrun.delete(upload.id)) await store.terminate(upload, options)
          },
        }),
      )
    },
    shownBy: /\(draft.*\(chunked\)/,
  },
  {
    title: 'a store that drops the beginning of a body that breaks off',
    plant: (composer, store) =>
      composer.useDataStore(
        changed(store, {
          append: (upload, from, body, options) => {
            const gathered = altered(body, async function* (batches) {
              const all: Buffer[] = []
              for await (const batch of batches) all.push(...batch)
              const isWhole = body.size === undefined || Buffer.concat(all).length === body.size
              if (isWhole || upload.protocol === 'tus') yield all
            })
            return store.append(upload, from, gathered, options)
          },
        }),
      ),
    shownBy: /\(draft.*((end|reset|HEAD) after|of which it has sent)/,
  },
]
