import { isTusError, TusError } from '../errors.js'
import type { PreCreateVerdict } from '../hooks.js'
import { metadataOf } from '../metadata.js'
import { must } from '../check-options.js'
import {
  isUploadId,
  type Concat,
  type Digests,
  type Metadata,
  type Representation,
  type UnplacedUpload,
  type Upload,
} from '../upload.js'
import { callHook, authorize, beRejection, refusal } from './hooks/call-hook.js'
import { isoTime, type Engine } from './engine.js'
import type { Exchange } from './exchange.js'
import { withUploadLock, type Holder } from './lock/holder.js'
import { finishIfDue } from './finish/finish-if-due.js'
import { isComplete, stat } from './stores/stat-upload.js'
import { notify } from './hooks/notify.js'
import { declaresEnd, receive, type Chunk, type Received } from './body/receive.js'
import { checkBodySize } from './body/size-limit.js'
import { hookEvent, writeOptions } from './record/transition.js'

/** What a client asks to be created. */
export interface CreateRequest {
  readonly protocol: Upload['protocol']
  /** Absent: declared later. */
  readonly length: number | undefined
  readonly metadata: Metadata
  readonly representation?: Representation
  /** Digests that the whole content must have. */
  readonly digests?: Digests | undefined
  readonly concat?: Concat
  /** Bytes that come with the creation. */
  readonly chunk?: Chunk
  readonly exchange: Exchange
  /** Called once the upload exists: from then on the client may be told where. */
  readonly announce: (upload: Upload) => void
}

/** Creates an upload, takes the bytes that come with it, and finishes it when that is all. */
export async function create(engine: Engine, request: CreateRequest): Promise<Received> {
  const { exchange, chunk, protocol } = request
  await authorize(engine, 'create', undefined, exchange)
  const upload = await prepare(engine, request)
  // Clients of tus are told the place of an upload although its first bytes are refused.
  if (chunk && protocol === 'ietf') checkBodySize(engine.settings, upload, undefined, chunk)
  return withUploadLock(engine, upload.id, async (holder) => {
    await establish(engine, holder, upload, request)
    if (chunk !== undefined) {
      if (protocol === 'tus') checkBodySize(engine.settings, upload, { offset: 0 }, chunk)
      return receive(engine, holder, { offset: 0 }, chunk)
    }
    if (isComplete(upload, 0)) await finishIfDue(engine, holder, { offset: 0 }, exchange)
    return { upload: holder.upload, offset: 0 }
  })
}

/** The record as it will be: with the limits checked, the pre-create hook heard, an id and a place. */
export async function prepare(engine: Engine, request: CreateRequest): Promise<Upload> {
  const { settings, stores, hooks } = engine
  const { exchange, concat, length, representation, digests, chunk } = request
  const generated = await settings.generateId(exchange)
  const draft: UnplacedUpload = {
    id: generated.id,
    revision: 1,
    protocol: request.protocol,
    ...(length !== undefined && { length }),
    metadata: request.metadata,
    ...(representation && { representation }),
    ...(digests && { digests }),
    ...(chunk && declaresEnd(chunk) && { completes: true }),
    ...(concat && { concat }),
    createdAt: isoTime(0),
    ...(settings.expireAfter !== undefined && { expiresAt: isoTime(settings.expireAfter) }),
    finish: 'implied',
    state: { kind: 'open' },
  }
  const limit = await settings.maxSize(exchange, draft)
  const verdict = await askPreCreate(engine, draft, exchange)
  const id = verdict.id ?? draft.id
  if (typeof id !== 'string' || !isUploadId(id)) throw new TusError('ERR_INVALID_UPLOAD_ID')
  // Asked before the lock, which would end a request for the upload that has this id already.
  const chosen = verdict.id !== undefined || !generated.random
  if (chosen) await requireFree(engine, id)
  const maxSize = Math.min(verdict.maxSize ?? limit, stores.dataStore.maxSize)
  const { metadata, place } = verdict
  const recorded =
    concat?.kind === 'final' ||
    request.protocol === 'ietf' ||
    stores.finisher !== undefined ||
    settings.finishedAfter !== undefined ||
    digests !== undefined ||
    (concat === undefined && (hooks.preFinish !== undefined || hooks.postFinish !== undefined))
  const unplaced: UnplacedUpload = {
    ...draft,
    id,
    ...(metadata && { metadata: metadataOf(metadata) }),
    ...(Number.isFinite(maxSize) && { maxSize }),
    finish: recorded ? 'recorded' : 'implied',
  }
  if ((length ?? 0) > maxSize) throw new TusError('ERR_MAX_SIZE_EXCEEDED', { maxSize })
  const storage = stores.dataStore.locate(place ? { ...unplaced, place } : unplaced)
  const upload = { ...unplaced, storage }
  // Asked before there is a record, which a crash could leave: it would name the data of another upload, or a file that
  // the application has detached.
  if ((place || chosen) && (await storedOffset(engine, upload)) !== undefined) {
    throw new TusError('ERR_DATA_EXISTS')
  }
  return upload
}

/** Throws `ERR_ID_TAKEN` when the id has a record. The info store decides whether one that cannot be read is one. */
async function requireFree({ stores }: Engine, id: string): Promise<void> {
  try {
    if ((await stores.infoStore.get(id)) !== undefined) throw new TusError('ERR_ID_TAKEN')
  } catch (error) {
    if (!isTusError(error, 'ERR_INFO_CORRUPT')) throw error
  }
}

/** What is stored at the place of an upload that does not exist yet; `undefined` if nothing is there. */
async function storedOffset(engine: Engine, upload: Upload): Promise<number | undefined> {
  try {
    return (await stat(engine, upload, new AbortController())).offset
  } catch (error) {
    if (isTusError(error, 'ERR_DATA_MISSING')) return undefined
    throw error
  }
}

async function askPreCreate(
  engine: Engine,
  upload: UnplacedUpload,
  { request }: Exchange,
): Promise<Partial<PreCreateVerdict>> {
  const { hooks } = engine
  if (hooks.preCreate === undefined) return {}
  const event = hookEvent(upload.id, 'pre-create')
  const verdict = await callHook(
    engine.hookLimit,
    {
      reject: beRejection,
      id: must.beText,
      metadata: must.beTexts,
      maxSize: must.beLimit,
      place: must.beTexts,
    },
    { event, upload, request },
    (context) => hooks.preCreate!(context),
  )
  if (verdict.reject) throw refusal('ERR_REJECTED', verdict.reject)
  return verdict
}

/**
 * Record first, then the data: what lies on the medium can always be found from a record. `refer` notes
 * the upload in the records of others; when it fails, the upload is withdrawn.
 */
export async function establish(
  engine: Engine,
  holder: Holder,
  upload: Upload,
  { chunk, exchange, announce }: Pick<CreateRequest, 'chunk' | 'exchange' | 'announce'>,
  refer?: () => Promise<void>,
): Promise<void> {
  const { dataStore, infoStore } = engine.stores
  await infoStore.create(upload)
  holder.upload = upload
  const size = chunk === undefined ? 0 : chunk.body.size
  const incoming =
    size === 0 ? 'nothing' : size !== undefined && size === upload.length ? 'everything' : 'some'
  try {
    await dataStore.create(upload, writeOptions(engine, holder, incoming))
    await refer?.()
  } catch (error) {
    await withdraw(engine, holder, error)
    throw error
  }
  announce(holder.upload)
  notify(engine, hookEvent(upload.id, 'post-create'), holder.upload, exchange)
}

/** Undoes the record of an upload whose data could not be made. What cannot be undone is left to expire. */
async function withdraw(engine: Engine, holder: Holder, error: unknown): Promise<void> {
  const { terminator, infoStore } = engine.stores
  // What the store still does cannot be undone beside it.
  if (!holder.lock.held() || holder.keeps) return
  try {
    // Data that was there before belongs to somebody else, whatever the store stumbled over.
    const taken =
      isTusError(error, 'ERR_DATA_EXISTS') || (await storedOffset(engine, holder.upload))
    if (!taken) {
      await terminator?.terminate(holder.upload, writeOptions(engine, holder))
    }
    await infoStore.delete(holder.upload.id)
  } catch (cause) {
    engine.log.warn('A failed creation could not be undone', {
      uploadId: holder.upload.id,
      error: cause,
    })
  }
}
