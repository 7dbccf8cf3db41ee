import type { Received } from './body/chunk.js'
import { receive } from './body/receive.js'
import { checkBodySize } from './body/size-limit.js'
import { bringsChunk, type CreateRequest } from './creation/create-request.js'
import { establish } from './creation/establish.js'
import { planUpload } from './creation/plan-upload.js'
import type { Engine } from './engine.js'
import { finishIfDue } from './finish/finish-if-due.js'
import { authorize } from './hooks/authorize.js'
import { withUploadLock } from './lock/with-upload-lock.js'

/** Creates an upload, receives the bytes sent with it, and finishes it if they complete it. */
export async function create(engine: Engine, request: CreateRequest): Promise<Received> {
  const { settings } = engine
  const { exchange, protocol } = request
  await authorize(engine, 'create', undefined, exchange)
  const upload = await planUpload(engine, request)
  // tus clients learn the URL of an upload even if its first bytes are refused.
  const chunk = bringsChunk(request) ? request : undefined
  if (chunk && protocol === 'ietf') checkBodySize(settings, upload, undefined, chunk)
  return withUploadLock(engine, upload.id, async (holder) => {
    const stored = { offset: 0 }
    await establish(engine, holder, upload, request)
    if (chunk !== undefined) {
      if (protocol === 'tus') checkBodySize(settings, upload, stored, chunk)
      return receive(engine, holder, stored, chunk)
    }
    await finishIfDue(engine, holder, stored, exchange)
    return { upload: holder.upload, offset: 0 }
  })
}
