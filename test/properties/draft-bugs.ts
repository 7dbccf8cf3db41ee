import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Upload } from 'tuskit'
import type { MemoryInfoStore } from 'tuskit/memory-store'
import { altered, changed } from '../conformance-suite/broken.js'
import type { Bug } from './bug.js'
import { calm } from '../support/stages.js'

/** The protocol of the request that is being answered. */
const asking = new AsyncLocalStorage<Upload['protocol']>()

/** An info store whose records of uploads of the draft are read as something else. */
function misread(
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

/** Changes the headers of answers. */
function misanswer(
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

/** Bugs in what the draft alone promises. */
export const draftBugs: readonly Bug[] = [
  {
    title: 'a server that takes full bytes for the end',
    plant: (composer, _, infoStore) =>
      composer.useInfoStore(misread(infoStore, (upload) => ({ ...upload, completes: true }))),
    tells: /\(draft.*\?0/,
  },
  {
    title: 'a server that takes the end of a connection for the end of an upload',
    plant: (composer, store, infoStore) =>
      composer.useInfoStore(
        misread(infoStore, async (upload) => {
          const { completes, state } = upload
          if (!completes || state.kind !== 'open') return upload
          const { signal } = new AbortController()
          const stat = await store.stat(upload, { signal }).catch(() => undefined)
          return stat === undefined ? upload : { ...upload, length: stat.offset }
        }),
      ),
    tells: /(end|reset|HEAD) after \d+ bytes|while somebody|at once/,
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
              calm,
            )
          },
        }),
      ),
    tells: /\(draft.*\?1/,
  },
  {
    title: 'a replay that does not say that the upload is complete',
    before: misanswer(({ headers: sent, method }, status, headers) => {
      const isReplay = method === 'PATCH' && status === 201 && sent['content-length'] === '0'
      if (isReplay) delete headers['upload-complete']
    }),
    tells: /PATCH \(draft.* with .*\?1/,
  },
  {
    title: 'a verdict that sounds as if the client could go on',
    before: misanswer((_, status, headers) => {
      if (status === 400 && 'upload-complete' in headers) headers['upload-complete'] = '?0'
    }),
    tells: /Repr-Digest/,
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
    tells: /\(draft.*checksum (wrong|right.* (end|reset|HEAD) after)/,
  },
  {
    title: 'a record that forgets which protocol made the upload',
    before: ({ headers }) => asking.enterWith(headers['tus-resumable'] ? 'tus' : 'ietf'),
    plant: (composer, _, infoStore) =>
      composer.useInfoStore(
        changed(infoStore, {
          async get(id) {
            const upload = await infoStore.get(id)
            return upload && { ...upload, protocol: asking.getStore() ?? upload.protocol }
          },
        }),
      ),
    tells: /POST of|\(draft/,
  },
  {
    title: 'an upload that outlives too long a body',
    plant: (composer, store, infoStore) => {
      const overrun = new Set<string>()
      composer.useInfoStore(
        changed(infoStore, {
          async update(upload) {
            const { id, state } = upload
            if (state.kind === 'gone' && state.cause === 'overrun') overrun.add(id)
            else await infoStore.update(upload, calm)
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
    tells: /\(draft.*\(chunked\)/,
  },
  {
    title: 'a store that drops the beginning of a body that does not come to its end',
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
    tells: /\(draft.*((end|reset|HEAD) after|of which it has sent)/,
  },
]
