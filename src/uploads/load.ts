import { TusError } from '../errors.js'
import type { Upload } from '../upload.js'
import type { Engine } from './engine.js'

/** The record of an upload that exists. Throws `ERR_UPLOAD_NOT_FOUND`, `ERR_UPLOAD_GONE`, or a recorded verdict. */
export async function load(engine: Engine, id: string): Promise<Upload> {
  const upload = await engine.stores.infoStore.get(id)
  if (upload === undefined) throw new TusError('ERR_UPLOAD_NOT_FOUND')
  if (upload.state.kind === 'gone') throw new TusError('ERR_UPLOAD_GONE')
  if (upload.state.kind === 'rejected') {
    throw new TusError('ERR_REJECTED', { response: upload.state.response })
  }
  return upload
}
