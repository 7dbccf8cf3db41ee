import { TusError } from '../../errors.js'
import type { AccessAction } from '../../hooks.js'
import type { Upload } from '../../upload.js'
import type { Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import { authorize } from '../hooks/authorize.js'
import { rejectionError } from './rejection.js'

/** Returns the record of an upload in any state. Throws `ERR_UPLOAD_NOT_FOUND`. */
export async function loadAny(engine: Engine, id: string): Promise<Upload> {
  const upload = await engine.stores.infoStore.get(id)
  if (upload === undefined) throw new TusError('ERR_UPLOAD_NOT_FOUND')
  return upload
}

/**
 * Returns the record of an upload that is open or finished. Throws `ERR_UPLOAD_NOT_FOUND`,
 * `ERR_UPLOAD_GONE`, or a recorded rejection.
 */
export async function load(engine: Engine, id: string): Promise<Upload> {
  return existing(await loadAny(engine, id))
}

/**
 * Returns the record as {@link load} does, if the request may do `action`. Only authorized requests
 * see a rejection.
 */
export async function loadFor(
  engine: Engine,
  action: AccessAction,
  id: string,
  exchange: Exchange,
): Promise<Upload> {
  const upload = await loadAny(engine, id)
  await authorize(engine, action, upload, exchange)
  return existing(upload)
}

function existing(upload: Upload): Upload {
  if (upload.state.kind === 'gone') throw new TusError('ERR_UPLOAD_GONE')
  if (upload.state.kind === 'rejected') throw rejectionError(upload.state.response)
  return upload
}

/** Refuses an upload of another protocol: the protocols differ in when an upload is complete. */
export function requireProtocol(upload: Upload, protocol: Upload['protocol']): void {
  if (upload.protocol !== protocol) throw new TusError('ERR_PROTOCOL_MISMATCH')
}
