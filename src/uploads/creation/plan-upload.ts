import { must } from '../../check-options.js'
import { isTusError, TusError } from '../../errors.js'
import type { PreCreateVerdict } from '../../hooks.js'
import { beMetadata, metadataOf } from '../../metadata.js'
import { isUploadId, type UnplacedUpload, type Upload } from '../../upload.js'
import { declaresEnd } from '../body/chunk.js'
import { isoTime, type Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import { beRejection, callHook } from '../hooks/call-hook.js'
import { hookEvent } from '../hooks/hook-event.js'
import { finalResponse, hookRejection } from '../hooks/hook-response.js'
import { statIfThere } from '../stores/stat-upload.js'
import { bringsChunk, type CreateRequest } from './create-request.js'

/**
 * Plans the record of a new upload: calls the pre-create hooks, checks the limits, and chooses an
 * id and a place.
 */
export async function planUpload(engine: Engine, request: CreateRequest): Promise<Upload> {
  const { settings, stores, hooks } = engine
  const { exchange, concat, length, representation, digests } = request
  const generated = await settings.generateId(exchange)
  const draft: UnplacedUpload = {
    id: generated.id,
    revision: 1,
    protocol: request.protocol,
    ...(length !== undefined && { length }),
    metadata: request.metadata,
    ...(representation && { representation }),
    ...(digests && { digests }),
    ...(bringsChunk(request) && declaresEnd(request) && { completes: true }),
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
  // Checked before taking the lock, which would interrupt a request for an upload with this id.
  const chosen = verdict.id !== undefined || !generated.random
  if (chosen) await requireFree(engine, id)
  const maxSize = Math.min(verdict.maxSize ?? limit, stores.dataStore.maxSize)
  const { metadata, place, response } = verdict
  const recorded =
    concat?.kind === 'final' ||
    request.protocol === 'ietf' ||
    stores.finisher !== undefined ||
    settings.finishedAfter !== undefined ||
    digests !== undefined ||
    (concat === undefined && hooks.preFinish.length + hooks.postFinish.length > 0)
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
  // Checked before there is a record, which a crash could leave: it would name the data of another
  // upload, or a file that the application has detached.
  if ((place || chosen) && (await statIfThere(engine, upload)) !== undefined) {
    throw new TusError('ERR_DATA_EXISTS')
  }
  if (response) request.callbacks.onResponse?.(finalResponse(response, {}, 299))
  return upload
}

/**
 * Throws `ERR_ID_TAKEN` when the id has a record. Leaves an unreadable record to the info store,
 * whose `create` decides whether the id is taken.
 */
async function requireFree({ stores }: Engine, id: string): Promise<void> {
  try {
    if ((await stores.infoStore.get(id)) !== undefined) throw new TusError('ERR_ID_TAKEN')
  } catch (error) {
    if (!isTusError(error, 'ERR_INFO_CORRUPT')) throw error
  }
}

const preCreateRules = {
  reject: beRejection,
  id: must.beText,
  metadata: beMetadata,
  maxSize: must.beLimit,
  place: must.beTexts,
  response: must.beObject,
}

/** Asks the pre-create hooks, each about the upload as the earlier ones want it. */
async function askPreCreate(
  engine: Engine,
  draft: UnplacedUpload,
  { request }: Exchange,
): Promise<PreCreateVerdict> {
  let choices: PreCreateVerdict = {}
  for (const hook of engine.hooks.preCreate) {
    const { metadata, reject: _, response: __, ...others } = choices
    const upload = { ...draft, ...others, ...(metadata && { metadata: metadataOf(metadata) }) }
    const context = { event: hookEvent(draft.id, 'pre-create'), upload, request }
    const verdict = await callHook<PreCreateVerdict, typeof context>(
      engine.hookLimit,
      preCreateRules,
      context,
      hook,
    )
    if (verdict.reject) throw hookRejection('ERR_REJECTED', verdict.reject)
    choices = { ...choices, ...verdict }
  }
  return choices
}
