import { StoreComposer, type DataStore, type HandlerOptions, type Upload } from 'tuskit'
import { FileInfoStore, FileStore } from 'tuskit/file-store'
import { LimitedStore, MemorySpaceCounter, type LimitedStoreOptions } from 'tuskit/limited-store'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import {
  createUpload,
  post,
  serve,
  temporaryDirectory,
  type Reply,
  type Site,
} from '../support/serve.js'
import { noAbort, keptLog } from '../support/stages.js'

export type Inner = Pick<LimitedStoreOptions, 'store' | 'infoStore'>

export function inMemory(): Inner {
  return { store: new MemoryStore(), infoStore: new MemoryInfoStore() }
}

export function inFiles(directory: string): Inner {
  return { store: new FileStore({ directory }), infoStore: new FileInfoStore({ directory }) }
}

/** The stores that the limit is tested with, for describe.each. */
export const inners = [
  { medium: 'memory', open: async () => inMemory() },
  { medium: 'files', open: async () => inFiles(await temporaryDirectory()) },
]

export interface LimitedSite extends Site {
  readonly counter: MemorySpaceCounter
  readonly composer: StoreComposer
  readonly logger: ReturnType<typeof keptLog>
}

/** A server whose uploads may use 11 bytes by default. */
export async function serveLimited(
  limited: Inner & Partial<LimitedStoreOptions>,
  options: Partial<HandlerOptions> = {},
): Promise<LimitedSite> {
  const counter = new MemorySpaceCounter()
  const composer = new StoreComposer()
  const logger = keptLog()
  new LimitedStore({ limit: 11, counter, ...limited }).useIn(composer)
  return { ...(await serve({ composer, logger, ...options })), counter, composer, logger }
}

/** A store of which a test replaces single operations. It offers nothing else. */
export function storeWith(change: (inner: DataStore) => Partial<DataStore>): Inner['store'] {
  const inner = new MemoryStore()
  const store: DataStore = {
    maxSize: Infinity,
    locate: (upload) => inner.locate(upload),
    create: (upload, options) => inner.create(upload, options),
    stat: (upload, options) => inner.stat(upload, options),
    append: (upload, from, body, options) => inner.append(upload, from, body, options),
    ...change(inner),
  }
  return { useIn: (composer) => composer.useDataStore(store).useTerminator(inner) }
}

/**
 * The responses to HEAD for a terminated upload: its record exists until its postTerminate hook has
 * run.
 */
export const gone = [404, 410]

export const deferred = { 'upload-defer-length': '1' }

export function createOf(site: Pick<Site, 'origin'>, length: number): Promise<string> {
  return createUpload(site, { 'upload-length': String(length) })
}

export function tryToCreate(site: Pick<Site, 'origin'>, length: number): Promise<Reply> {
  return post(site, { 'upload-length': String(length) })
}

/** All records. */
export async function recordsOf(composer: StoreComposer): Promise<Upload[]> {
  const { infoLister, infoStore } = composer.slots()
  const records: Upload[] = []
  for await (const id of infoLister!.ids({ signal: new AbortController().signal })) {
    records.push((await infoStore!.get(id, noAbort))!)
  }
  return records
}
